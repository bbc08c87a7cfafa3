//! A wrong stream goes unnoticed until it is needed: here another inflate implementation must return every
//! input.

use flate2::{Decompress, FlushDecompress, Status};

use super::Deflater;
use super::bits::Stream;
use super::block::Block;

const KIB: usize = 1024;

/// xorshift64 (Marsaglia, "Xorshift RNGs"): noise that is the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| (self.next() >> 32) as u8).take(length).collect()
    }
}

fn noise(length: usize) -> Vec<u8> {
    Noise(0x5eed).bytes(length)
}

fn rows(length: usize) -> Vec<u8> {
    let mut noise = Noise(7);
    let mut rows = String::new();
    while rows.len() < length {
        let (id, state) = (noise.next(), ["active", "revoked", "expired"][noise.below(3)]);
        rows.push_str(&format!("{{\"id\":\"{id:016x}\",\"state\":\"{state}\",\"cost\":0.{}}},\n", id % 9973));
    }
    rows.truncate(length);
    rows.into_bytes()
}

/// Four kinds of data.
fn kinds(length: usize) -> [Vec<u8>; 4] {
    let few = noise(length).iter().map(|byte| byte % 3).collect();
    [rows(length), noise(length), vec![b'x'; length], few]
}

/// Compresses `bytes`, split at these positions.
fn deflate(bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
    let (mut deflater, mut out) = (Deflater::default(), Vec::new());
    let mut start = 0;
    for &end in cuts {
        deflater.compress(&bytes[start..end], false, &mut out);
        start = end;
    }
    deflater.compress(&bytes[start..], true, &mut out);
    out
}

/// The result of zlib-rs for a stream that must end where `deflated` does.
fn inflate(deflated: &[u8], most: usize) -> Vec<u8> {
    let mut inflated = Vec::with_capacity(most + 1);
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress_vec(deflated, &mut inflated, FlushDecompress::Finish);
    assert!(matches!(status, Ok(Status::StreamEnd)), "{status:?}");
    assert_eq!(inflate.total_in(), deflated.len() as u64);
    inflated
}

#[track_caller]
fn check(bytes: &[u8], cuts: &[usize]) -> usize {
    let deflated = deflate(bytes, cuts);
    assert!(inflate(&deflated, bytes.len()) == bytes, "{} bytes cut at {cuts:?}", bytes.len());
    // 128 KiB of incompressible data result in three stored blocks.
    let stored = bytes.len() / 43_690 + 2 * (cuts.len() + 1);
    assert!(deflated.len() <= bytes.len() + 5 * stored, "{} became {}", bytes.len(), deflated.len());
    deflated.len()
}

/// Writes a block that was built directly, without a search.
#[track_caller]
fn check_block(block: &Block, bytes: &[u8]) -> usize {
    let mut out = Vec::new();
    let mut stream = Stream::new(&mut out);
    block.write(bytes, &mut stream);
    stream.put_stored(&[], true);
    assert!(inflate(&out, bytes.len()) == bytes);
    out.len()
}

#[test]
fn every_short_length_comes_back() {
    for bytes in kinds(1000) {
        for length in 0..=bytes.len() {
            check(&bytes[..length], &[]);
        }
    }
}

#[test]
fn chunks_come_back_wherever_they_are_cut() {
    for bytes in kinds(70 * KIB) {
        for border in [8, 32 * KIB, 64 * KIB, 65_535] {
            for cut in border - 8..=border + 8 {
                check(&bytes, &[cut]);
            }
        }
        check(&bytes, &[0, 1, 1, 9, 100, 40_000, 40_007]);
        check(&bytes, &[33_000, 66_000]);
    }
    for bytes in kinds(2 * 256 * KIB + 9) {
        check(&bytes, &[256 * KIB]);
        check(&bytes, &[256 * KIB + 1]);
        check(&bytes, &[]);
    }
}

#[test]
fn every_length_and_distance_is_written() {
    let lengths = (3..=258).map(|length| (length, 1 + length as u16 * 127));
    let distances =
        (0..16).flat_map(|bits| [1 << bits, 3 << bits >> 1].map(|first: u32| (first - 1, first, first + 1)));
    let distances = distances.flat_map(|(before, first, after)| [before, first, after]);
    let distances =
        distances.filter(|distance| (1..=32_768).contains(distance)).map(|distance| (11, distance as u16));
    let mut bytes = noise(32_768);
    let mut block = Block::default();
    block.count(&bytes);
    for (length, distance) in lengths.chain(distances).chain([(258, 32_768), (3, 1), (257, 32_767)]) {
        block.push(bytes.len(), length, distance);
        for _ in 0..length {
            bytes.push(bytes[bytes.len() - usize::from(distance)]);
        }
    }
    assert!(check_block(&block, &bytes) < 36_000);
}

#[test]
fn matches_reach_back_32_kib_and_no_further() {
    let far = |distance: usize| [noise(250), vec![0; distance - 250], noise(250)].concat();
    let reached = check(&far(32_768), &[]);
    assert!(reached + 200 < check(&far(32_769), &[]));
}

#[test]
fn blocks_with_one_distance_or_none_come_back() {
    let steps = |step: usize, length| (0..length).map(|at| (at * step % 61) as u8 + b' ').collect::<Vec<_>>();
    let literals: Vec<u8> = noise(6000).iter().map(|byte| byte % 7).collect();
    assert!(check(&literals, &[]) < 3000);
    assert!(check(&[steps(1, 61), steps(1, 4000)].concat(), &[]) < 200);
    assert!(check(&[0; 300 * KIB], &[]) < 1500);
    assert!(check(&vec![255; 1000], &[500]) < 200);
}

#[test]
fn rare_symbols_keep_within_the_longest_code() {
    // Frequencies like Fibonacci numbers result in the deepest tree.
    let (mut bytes, mut few, mut many) = (Vec::new(), 1, 2);
    for symbol in 0..22_u8 {
        bytes.extend(std::iter::repeat_n(symbol * 3, few));
        (few, many) = (many, few + many);
    }
    // Literals only: matches would reduce the frequent ones.
    let mut block = Block::default();
    block.count(&bytes);
    assert!(check_block(&block, &bytes) < bytes.len() / 2);
    check(&bytes, &[]);
}

#[test]
fn what_comes_after_noise_still_shrinks() {
    let mixed = [noise(100 * KIB), rows(100 * KIB)].concat();
    assert!(check(&mixed, &[]) < 100 * KIB + check(&rows(100 * KIB), &[]) * 3 / 2);
    assert!(check(&rows(256 * KIB), &[]) < 256 * KIB * 2 / 5);
}

#[test]
fn a_chunk_becomes_the_same_bytes_whatever_came_before() {
    let mut used = Deflater::default();
    for bytes in kinds(150 * KIB) {
        for length in [0, 10, 3001, 65_800, 150 * KIB] {
            let (mut first, mut again) = (Vec::new(), Vec::new());
            Deflater::default().compress(&bytes[..length], true, &mut first);
            used.compress(&bytes[..length], true, &mut again);
            assert!(first == again, "{length} bytes");
        }
    }
}

/// Pieces of noise, of text, of one repeated byte, and of earlier content.
fn mixture(noise: &mut Noise) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text = rows(2000);
    for _ in 0..noise.below(30) {
        let bits = noise.below(12);
        let length = noise.below(1 << bits);
        match noise.below(4) {
            0 => bytes.extend(noise.bytes(length)),
            1 => bytes.extend(text[noise.below(2000)..].iter().take(length)),
            2 => bytes.extend(std::iter::repeat_n(noise.next() as u8, length)),
            _ => {
                let distance = 1 + noise.below(bytes.len() + 1);
                let start = bytes.len().saturating_sub(distance);
                (start..bytes.len()).take(length).for_each(|at| bytes.push(bytes[at]));
            }
        }
    }
    bytes
}

#[test]
fn mixtures_come_back() {
    let mut noise = Noise(2026);
    for _ in 0..2000 {
        let bytes = mixture(&mut noise);
        let mut cuts: Vec<usize> = (0..noise.below(4)).map(|_| noise.below(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        check(&bytes, &cuts);
    }
}
