//! Packs bits into bytes, lowest bit first (RFC 1951 §3.1.1), because codes do not end at byte boundaries.

/// The longest stored block (RFC 1951 §3.2.4).
const STORED: usize = 65_535;

/// Bits of an incomplete byte.
#[derive(Clone, Copy, Default)]
struct Rest {
    bits: u64,
    count: u32,
}

/// Appends blocks to bytes.
pub(super) struct Stream<'a> {
    out: &'a mut Vec<u8>,
    rest: Rest,
}

impl<'a> Stream<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, rest: Rest::default() }
    }

    /// Appends the bits that `write` puts, at most `most`.
    pub(super) fn put(&mut self, most: usize, write: impl FnOnce(&mut Bits<'_>)) {
        let start = self.out.len();
        // Eight more, because `Bits` always stores eight bytes, and one for the rest.
        self.out.resize(start + most / 8 + 10, 0);
        let mut bits = Bits { room: &mut self.out[start..], at: 0, rest: self.rest };
        write(&mut bits);
        let end = start + bits.at;
        self.rest = bits.rest;
        self.out.truncate(end);
    }

    /// Appends `bytes` uncompressed, in as many blocks as needed; empty input results in one block.
    pub(super) fn put_stored(&mut self, bytes: &[u8], last: bool) {
        let mut left = bytes;
        loop {
            let (part, after) = left.split_at(left.len().min(STORED));
            self.put_stored_block(part, last && after.is_empty());
            left = after;
            if left.is_empty() {
                return;
            }
        }
    }

    fn put_stored_block(&mut self, part: &[u8], last: bool) {
        self.put(16, |bits| {
            bits.put(last.into(), 3);
            bits.put(0, bits.rest.count.wrapping_neg() % 8);
        });
        let [low, high] = (part.len() as u16).to_le_bytes();
        self.out.extend_from_slice(&[low, high, !low, !high]);
        self.out.extend_from_slice(part);
    }
}

/// Packs bits into a buffer that is large enough for them.
pub(super) struct Bits<'a> {
    room: &'a mut [u8],
    at: usize,
    rest: Rest,
}

impl Bits<'_> {
    /// Appends the lowest `count` bits of `bits`, at most 56; the higher bits are zero.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.rest.bits |= bits << self.rest.count;
        self.rest.count += count;
        // A buffer that is too small must be detected: the result would be a damaged archive.
        self.room[self.at..][..8].copy_from_slice(&self.rest.bits.to_le_bytes());
        self.at += (self.rest.count / 8) as usize;
        self.rest.bits >>= self.rest.count & !7;
        self.rest.count %= 8;
    }
}
