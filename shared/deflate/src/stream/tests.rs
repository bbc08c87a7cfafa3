//! Streams of several pieces on several threads: zlib-rs can read them, whatever their length.

use std::io::Read;

use flate2::read::{DeflateDecoder, DeflateEncoder};

use super::*;

/// Compressible text, and incompressible noise.
fn contents() -> [Vec<u8>; 2] {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    let words = ["alpha", "beta", "gamma", "delta", "\"status\":200,", "\n"];
    let text: String =
        std::iter::repeat_with(|| words[next() as usize % words.len()]).take(400_000).collect();
    let noise = std::iter::repeat_with(|| next() as u8).take(10 * PIECE).collect();
    [text.into_bytes(), noise]
}

/// Writes `content` in parts of this length.
fn deflate(deflater: &mut StreamDeflater, content: &[u8], part: usize) -> Vec<u8> {
    let mut out = Vec::new();
    content.chunks(part).for_each(|part| deflater.write(part, &mut out).unwrap());
    let totals = deflater.end(&mut out).unwrap();
    assert_eq!(totals, Totals { bytes: content.len() as u64, crc32: crc32fast::hash(content) });
    out
}

fn lengths(longest: usize) -> Vec<usize> {
    let around = |length: usize| [length - 1, length, length + 1];
    let mut lengths: Vec<usize> =
        [PIECE, 2 * PIECE, 4 * PIECE, 5 * PIECE].into_iter().flat_map(around).collect();
    lengths.extend([0, 1, 1000, longest]);
    lengths
}

#[test]
fn every_length_around_a_piece_comes_back() {
    for level in [None, Some(1), Some(6)] {
        let compression = level.map_or(Compression::default(), |level| Compression::level(level).unwrap());
        let mut deflater = StreamDeflater::create(compression);
        for content in contents() {
            for length in lengths(content.len()) {
                let deflated = deflate(&mut deflater, &content[..length], 100_003);
                let mut inflated = Vec::with_capacity(length);
                DeflateDecoder::new(deflated.as_slice()).read_to_end(&mut inflated).unwrap();
                assert!(inflated == content[..length], "level {level:?}, {length} bytes");
            }
        }
    }
}

#[test]
fn pieces_shrink_about_as_much_as_one_stream() {
    let [text, noise] = contents();
    let mut deflater = StreamDeflater::create(Compression::default());
    let mut size = |content: &[u8]| deflate(&mut deflater, content, PIECE).len();
    let mut one_stream = Vec::new();
    DeflateEncoder::new(text.as_slice(), flate2::Compression::new(2)).read_to_end(&mut one_stream).unwrap();
    assert!(size(&text) < one_stream.len() * 103 / 100);
    assert!(size(&noise) < noise.len() * 1001 / 1000);
}

#[test]
fn equal_bytes_give_equal_streams_however_they_are_cut() {
    let [text, _] = contents();
    let write = |part: usize| deflate(&mut StreamDeflater::create(Compression::default()), &text, part);
    assert!(write(7919) == write(1 << 20));
}

#[test]
fn other_levels_are_refused() {
    for level in [0, 10, 255] {
        assert!(matches!(Compression::level(level), Err(Error::Level)), "{level}");
    }
}
