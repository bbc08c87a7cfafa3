//! A piece of a stream, compressed independently of the pieces before it.
//!
//! Every piece except the last ends at a byte boundary (an empty stored block, RFC 1951 §3.2.4), so joined
//! pieces form one deflate stream. With pieces of 256 KiB this independence costs 1 % of the size, and lets
//! threads work on several pieces at once.

use crc32fast::Hasher;
use flate2::{Compress, Compression as Level, FlushCompress, Status};

use crate::compression::Compression;
use crate::deflater::Deflater;

/// Uncompressed bytes of a piece; the last piece of a stream has fewer.
pub(crate) const PIECE: usize = 256 * 1024;

/// Buffers that are sent to a thread with data and come back with the result, to be reused.
#[derive(Default)]
pub(crate) struct Piece {
    /// The data to compress.
    pub(crate) bytes: Vec<u8>,
    /// Whether the stream ends here.
    pub(crate) last: bool,
    /// Its part of the deflate stream.
    pub(crate) deflated: Vec<u8>,
    /// The CRC of `bytes`, by crc32fast. The CRC of zlib-rs does not use the processor's CRC instructions, and is
    /// much slower: it took half as long as SHA-256.
    pub(crate) crc: Hasher,
    /// Whether `deflated` contains all of `bytes`.
    pub(crate) is_complete: bool,
}

/// State that a thread keeps between pieces.
pub(crate) enum Compressor {
    Ours(Box<Deflater>),
    Zlib(Compress),
}

impl Compressor {
    pub(crate) fn create(compression: Compression) -> Self {
        match compression.zlib_level() {
            None => Self::Ours(Box::default()),
            Some(level) => Self::Zlib(Compress::new(Level::new(level.into()), false)),
        }
    }

    /// Fills `deflated` and `crc`.
    pub(crate) fn compress(&mut self, piece: &mut Piece) {
        piece.crc.reset();
        piece.crc.update(&piece.bytes);
        piece.deflated.clear();
        match self {
            Self::Ours(deflater) => {
                deflater.compress(&piece.bytes, piece.last, &mut piece.deflated);
                piece.is_complete = true;
            }
            Self::Zlib(state) => deflate_with_zlib(state, piece),
        }
    }
}

fn deflate_with_zlib(state: &mut Compress, piece: &mut Piece) {
    state.reset();
    let flush = if piece.last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        // Incompressible data grows by less than this.
        piece.deflated.reserve(piece.bytes.len() / 8 + 64);
        let done = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let rest = piece.bytes.get(done..).unwrap_or_default();
        let status = state.compress_vec(rest, &mut piece.deflated, flush);
        let has_ended = matches!(status, Ok(Status::StreamEnd));
        if has_ended || piece.deflated.len() < piece.deflated.capacity() {
            piece.is_complete =
                status.is_ok() && has_ended == piece.last && state.total_in() == piece.bytes.len() as u64;
            return;
        }
    }
}
