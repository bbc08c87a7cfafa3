//! Entries compressed piece by piece on several threads: whatever their length, reading returns the bytes
//! written.

use jiff::Timestamp;
use strongroom_archive::manifest::TruePath;
use strongroom_archive::{ArchiveWriter, Compression, Limits};

use crate::sample;

/// The same as in `strongroom_deflate`.
const PIECE: usize = 256 * 1024;

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

fn lengths(longest: usize) -> Vec<usize> {
    let around = |length: usize| [length - 1, length, length + 1];
    let mut lengths: Vec<usize> =
        [PIECE, 2 * PIECE, 4 * PIECE, 5 * PIECE].into_iter().flat_map(around).collect();
    lengths.extend([0, 1, 1000, longest]);
    lengths
}

#[test]
fn every_length_around_a_piece_comes_back() {
    for level in [None, Some(1), Some(2), Some(6)] {
        let compression = level.map_or(Compression::default(), |level| Compression::level(level).unwrap());
        let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, compression);
        let mut written = Vec::new();
        for (kind, content) in contents().into_iter().enumerate() {
            for length in lengths(content.len()) {
                let name = format!("{kind}-{length}");
                let path = TruePath::new(name.clone().into_bytes()).unwrap();
                writer.start_file("set", &path, 0o644, Timestamp::UNIX_EPOCH).unwrap();
                // With a length that does not divide a piece.
                for part in content[..length].chunks(100_003) {
                    writer.write(part).unwrap();
                }
                writer.finish_file(false).unwrap();
                written.push((format!("files/set/{name}"), content[..length].to_vec()));
            }
        }
        let (_, bytes) = writer.finish(sample::head()).unwrap();
        sample::check(&bytes, Limits::V1).unwrap();
        let read = sample::contents(&bytes).unwrap();
        assert!(read == written, "level {level:?}");
    }
}
