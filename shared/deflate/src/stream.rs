//! The bytes of the open entry on their way into the ZIP: gathered to pieces, deflated, written in order.

use std::io::{self, Write};

use crc32fast::Hasher;

use super::compression::Compression;
use super::piece::{Compressor, PIECE, Piece};
use super::workers::Workers;
use super::zip::ZipStream;
use crate::error::{Error, Result};

/// Compresses one entry after the other. Small ones never see another thread.
pub(super) struct Content {
    gathered: Piece,
    spare: Vec<Piece>,
    workers: Workers,
    own: Compressor,
    crc: Hasher,
    bytes: u64,
}

impl Content {
    pub(super) fn create(compression: Compression) -> Self {
        Self {
            gathered: Piece::default(),
            spare: Vec::new(),
            workers: Workers::create(compression),
            own: Compressor::create(compression),
            crc: Hasher::new(),
            bytes: 0,
        }
    }

    /// Appends to the open entry; some of what came before goes into `zip`.
    pub(super) fn write<W: Write>(&mut self, mut bytes: &[u8], zip: &mut ZipStream<W>) -> Result<()> {
        while !bytes.is_empty() {
            // Not before more has come: the last piece is another one.
            if self.gathered.bytes.len() == PIECE {
                self.hand_over(zip)?;
            }
            let room = PIECE - self.gathered.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.gathered.bytes.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the entry: everything is in `zip` afterwards.
    pub(super) fn end<W: Write>(&mut self, zip: &mut ZipStream<W>) -> Result<()> {
        let mut last = self.next_piece();
        last.last = true;
        self.own.compress(&mut last);
        while let Some(piece) = self.workers.take().map_err(Error::Compressor)? {
            self.put(piece, zip)?;
        }
        self.put(last, zip)?;
        let (crc, bytes) = (std::mem::take(&mut self.crc), std::mem::take(&mut self.bytes));
        zip.end(crc.finalize(), bytes).map_err(Error::Sink)
    }

    fn hand_over<W: Write>(&mut self, zip: &mut ZipStream<W>) -> Result<()> {
        if self.workers.are_full()
            && let Some(piece) = self.workers.take().map_err(Error::Compressor)?
        {
            self.put(piece, zip)?;
        }
        while let Some(piece) = self.workers.take_ready().map_err(Error::Compressor)? {
            self.put(piece, zip)?;
        }
        let piece = self.next_piece();
        self.workers.give(piece).map_err(Error::Compressor)
    }

    /// What was gathered, with an empty one in its place.
    fn next_piece(&mut self) -> Piece {
        std::mem::replace(&mut self.gathered, self.spare.pop().unwrap_or_default())
    }

    fn put<W: Write>(&mut self, mut piece: Piece, zip: &mut ZipStream<W>) -> Result<()> {
        if !piece.is_whole {
            return Err(Error::Compressor(io::Error::other("zlib left a part out")));
        }
        self.crc.combine(&piece.crc);
        self.bytes += piece.bytes.len() as u64;
        zip.write(&piece.deflated).map_err(Error::Sink)?;
        piece.bytes.clear();
        piece.last = false;
        self.spare.push(piece);
        Ok(())
    }
}
