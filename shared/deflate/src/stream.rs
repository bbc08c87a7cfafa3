//! Bytes written to a stream: gathered into pieces, deflated, and output in order.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

#[cfg(test)]
mod fuzz;

use std::io::{self, Write};

use crc32fast::Hasher;

use crate::compression::Compression;
use crate::error::{Error, Result};
use crate::piece::{Compressor, PIECE, Piece};
use crate::workers::Workers;

/// Compresses one stream after another, on threads that end when this value is dropped. A stream of up to 256
/// KiB is compressed on the calling thread.
///
/// After an error nothing more can be compressed; drop it.
pub struct StreamDeflater {
    gathered: Piece,
    spare: Vec<Piece>,
    workers: Workers,
    own: Compressor,
    crc: Hasher,
    bytes: u64,
}

/// Totals of a stream before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32, with the polynomial of ZIP and gzip.
    pub crc32: u32,
}

impl StreamDeflater {
    /// Creates a deflater without starting a thread.
    #[must_use]
    pub fn create(compression: Compression) -> Self {
        Self {
            gathered: Piece::default(),
            spare: Vec::new(),
            workers: Workers::create(compression),
            own: Compressor::create(compression),
            crc: Hasher::new(),
            bytes: 0,
        }
    }

    /// Appends to the stream, and writes finished pieces to `out`.
    ///
    /// # Errors
    /// [`Error::Sink`] with the error of `out`, [`Error::Worker`].
    pub fn write<W: Write>(&mut self, mut bytes: &[u8], out: &mut W) -> Result<()> {
        while !bytes.is_empty() {
            // Handed over only once more data has arrived, because the last piece is handled differently.
            if self.gathered.bytes.len() == PIECE {
                self.hand_over(out)?;
            }
            let room = PIECE - self.gathered.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.gathered.bytes.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the stream: all of it is then in `out`, and the next stream can begin.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn end<W: Write>(&mut self, out: &mut W) -> Result<Totals> {
        let mut last = self.next_piece();
        last.last = true;
        self.own.compress(&mut last);
        while let Some(piece) = self.workers.take().map_err(Error::Worker)? {
            self.put(piece, out)?;
        }
        self.put(last, out)?;
        let (crc, bytes) = (std::mem::take(&mut self.crc), std::mem::take(&mut self.bytes));
        Ok(Totals { bytes, crc32: crc.finalize() })
    }

    fn hand_over<W: Write>(&mut self, out: &mut W) -> Result<()> {
        if self.workers.are_full()
            && let Some(piece) = self.workers.take().map_err(Error::Worker)?
        {
            self.put(piece, out)?;
        }
        while let Some(piece) = self.workers.take_ready().map_err(Error::Worker)? {
            self.put(piece, out)?;
        }
        let piece = self.next_piece();
        self.workers.give(piece).map_err(Error::Worker)
    }

    /// The gathered piece, replaced by an empty one.
    fn next_piece(&mut self) -> Piece {
        std::mem::replace(&mut self.gathered, self.spare.pop().unwrap_or_default())
    }

    fn put<W: Write>(&mut self, mut piece: Piece, out: &mut W) -> Result<()> {
        if !piece.is_complete {
            return Err(Error::Worker(io::Error::other("zlib left a part out")));
        }
        self.crc.combine(&piece.crc);
        self.bytes += piece.bytes.len() as u64;
        out.write_all(&piece.deflated).map_err(Error::Sink)?;
        piece.bytes.clear();
        piece.last = false;
        self.spare.push(piece);
        Ok(())
    }
}
