//! Both readers refuse every flipped bit, every cut and every swap.

use std::io::Cursor;

use strongroom_age::{Header, SealError, SealReader, SealedFile, Unlocked};

use crate::{
    CHUNK, SEALED_CHUNK, identities, noise, open, open_file, read_all, refusal, seal, two_recipients,
};

/// A file with its unlocked header, so that thousands of damaged copies need not be unlocked again.
struct Sealed {
    bytes: Vec<u8>,
    unlocked: Unlocked,
    header: usize,
}

impl Sealed {
    fn new(plaintext: &[u8]) -> Self {
        let bytes = seal(plaintext, &two_recipients());
        let mut rest = bytes.as_slice();
        let unlocked = Header::read(&mut rest).unwrap().unlock(&identities()).unwrap();
        let header = bytes.len() - rest.len();
        Self { bytes, unlocked, header }
    }

    /// Offset of chunk `number`.
    fn chunk(&self, number: usize) -> usize {
        self.header + 16 + number * SEALED_CHUNK
    }

    /// Both readers' errors for a changed payload after an intact header.
    fn refused(&self, changed: &[u8]) -> [SealError; 2] {
        let streaming = SealReader::open(&changed[self.header..], &self.unlocked).and_then(read_all);
        let file = SealedFile::open(Cursor::new(changed), &self.unlocked).and_then(read_all);
        [refusal(streaming), refusal(file)]
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let sealed = Sealed::new(&noise(1500));
    let identities = identities();
    for bit in 0..sealed.bytes.len() * 8 {
        let mut changed = sealed.bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < sealed.header {
            refusal(open(&changed, &identities));
        } else {
            let last = SealError::LastChunk { chunk: 0 };
            assert_eq!(sealed.refused(&changed), [last.clone(), last], "bit {bit}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let sealed = Sealed::new(&noise(1500));
    for length in 0..sealed.bytes.len() {
        let cut = &sealed.bytes[..length];
        if length < sealed.header {
            assert_eq!(refusal(open(cut, &identities())), SealError::HeaderCut, "{length}");
            continue;
        }
        let expected = match length - sealed.header {
            0..32 => SealError::NoPayload,
            _ => SealError::LastChunk { chunk: 0 },
        };
        assert_eq!(sealed.refused(cut), [expected.clone(), expected], "{length}");
    }
}

#[test]
fn a_cut_between_or_near_chunks_says_where() {
    let sealed = Sealed::new(&noise(3 * CHUNK + 100));
    for number in 1..=3 {
        let boundary = sealed.chunk(number);
        let truncated = SealError::Truncated { chunk: number as u64 - 1 };
        let cut = sealed.refused(&sealed.bytes[..boundary]);
        assert_eq!(cut, [truncated.clone(), truncated], "{number}");
        for near in [boundary - 17, boundary - 1, boundary + 1, boundary + 15, boundary + 16, boundary + 60] {
            let chunk = if near < boundary { number - 1 } else { number } as u64;
            let last = SealError::LastChunk { chunk };
            assert_eq!(sealed.refused(&sealed.bytes[..near]), [last.clone(), last], "{near}");
        }
    }
}

#[test]
fn every_swap_of_two_chunks_is_refused() {
    // Both kinds of end: a short last chunk, and a full one.
    for length in [4 * CHUNK + 5, 5 * CHUNK] {
        let sealed = Sealed::new(&noise(length));
        for (first, second) in (0..5).flat_map(|first| (first + 1..5).map(move |second| (first, second))) {
            let mut chunks: Vec<&[u8]> = sealed.bytes[sealed.chunk(0)..].chunks(SEALED_CHUNK).collect();
            chunks.swap(first, second);
            let changed = [&sealed.bytes[..sealed.chunk(0)], &chunks.concat()].concat();
            let [streaming, _] = sealed.refused(&changed);
            assert_eq!(streaming, SealError::Chunk { chunk: first as u64 }, "{first} and {second}");
        }
        let doubled = [&sealed.bytes[..sealed.chunk(1)], &sealed.bytes[sealed.chunk(0)..]].concat();
        assert_eq!(sealed.refused(&doubled)[0], SealError::Chunk { chunk: 1 });
        let left_out = [&sealed.bytes[..sealed.chunk(1)], &sealed.bytes[sealed.chunk(2)..]].concat();
        assert_eq!(sealed.refused(&left_out)[0], SealError::Chunk { chunk: 1 });
    }
}

#[test]
fn chunks_of_another_file_for_the_same_recipients_are_refused() {
    let (one, other) = (Sealed::new(b"one"), Sealed::new(b"two"));
    let mixed = [&one.bytes[..one.header], &other.bytes[other.header..]].concat();
    assert_eq!(one.refused(&mixed)[0], SealError::LastChunk { chunk: 0 });
}

#[test]
fn bytes_after_the_end_are_refused() {
    let full = Sealed::new(&noise(2 * CHUNK));
    let added = [full.bytes.as_slice(), b"x"].concat();
    assert_eq!(full.refused(&added), [SealError::Trailing, SealError::LastChunk { chunk: 2 }]);
    let short = Sealed::new(b"short");
    let added = [short.bytes.as_slice(), b"\n"].concat();
    let last = SealError::LastChunk { chunk: 0 };
    assert_eq!(short.refused(&added), [last.clone(), last]);
}

#[test]
fn a_reader_that_failed_goes_on_failing() {
    let sealed = Sealed::new(&noise(2 * CHUNK));
    let cut = &sealed.bytes[sealed.header..sealed.chunk(1)];
    let mut reader = SealReader::open(cut, &sealed.unlocked).unwrap();
    for _ in 0..3 {
        assert_eq!(refusal(read_all(&mut reader)), SealError::Truncated { chunk: 0 });
    }
}

#[test]
fn damage_elsewhere_does_not_keep_one_place_from_opening() {
    let sealed = Sealed::new(&noise(3 * CHUNK));
    let mut changed = sealed.bytes.clone();
    changed[sealed.chunk(1)] ^= 1;
    let mut file = SealedFile::open(Cursor::new(changed), &sealed.unlocked).unwrap();
    let mut first = vec![0; CHUNK];
    std::io::Read::read_exact(&mut file, &mut first).unwrap();
    assert_eq!(first, noise(CHUNK));
    assert_eq!(refusal(read_all(&mut file)), SealError::Chunk { chunk: 1 });
    assert!(open_file(&sealed.bytes, &identities()).is_ok());
}
