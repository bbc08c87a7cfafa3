//! A piece of an entry, compressed without knowing the pieces before it.
//!
//! A piece that is not the last ends on a byte border (an empty stored block, RFC 1951 §3.2.4), so that pieces
//! joined are one deflate stream. Forgetting what came before costs 1 % of the size with pieces of 256 KiB, and
//! lets threads work on several at once.

use crc32fast::Hasher;
use flate2::{Compress, Compression as Level, FlushCompress, Status};

use super::compression::Compression;
use super::deflate::Deflater;

/// Bytes of a piece before compression; the last of an entry has fewer.
pub(super) const PIECE: usize = 256 * 1024;

/// Buffers that go to a thread full and come back with the result, to be filled again.
#[derive(Default)]
pub(super) struct Piece {
    /// What is to be compressed.
    pub(super) bytes: Vec<u8>,
    /// Whether the entry ends here.
    pub(super) last: bool,
    /// Its part of the entry's deflate stream.
    pub(super) deflated: Vec<u8>,
    /// Of `bytes`. The one of zlib-rs does without the processor's instructions, and took half as long as SHA-256.
    pub(super) crc: Hasher,
    /// Whether `deflated` is all of `bytes`.
    pub(super) is_whole: bool,
}

/// What a thread keeps from one piece to the next.
pub(super) enum Compressor {
    Ours(Box<Deflater>),
    Zlib(Compress),
}

impl Compressor {
    pub(super) fn create(compression: Compression) -> Self {
        match compression.zlib_level() {
            None => Self::Ours(Box::default()),
            Some(level) => Self::Zlib(Compress::new(Level::new(level.into()), false)),
        }
    }

    /// Fills `deflated` and `crc`.
    pub(super) fn compress(&mut self, piece: &mut Piece) {
        piece.crc.reset();
        piece.crc.update(&piece.bytes);
        piece.deflated.clear();
        match self {
            Self::Ours(deflater) => {
                deflater.compress(&piece.bytes, piece.last, &mut piece.deflated);
                piece.is_whole = true;
            }
            Self::Zlib(state) => deflate_with_zlib(state, piece),
        }
    }
}

fn deflate_with_zlib(state: &mut Compress, piece: &mut Piece) {
    state.reset();
    let flush = if piece.last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        // What does not shrink grows by less.
        piece.deflated.reserve(piece.bytes.len() / 8 + 64);
        let done = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let rest = piece.bytes.get(done..).unwrap_or_default();
        let status = state.compress_vec(rest, &mut piece.deflated, flush);
        let has_ended = matches!(status, Ok(Status::StreamEnd));
        if has_ended || piece.deflated.len() < piece.deflated.capacity() {
            piece.is_whole =
                status.is_ok() && has_ended == piece.last && state.total_in() == piece.bytes.len() as u64;
            return;
        }
    }
}
