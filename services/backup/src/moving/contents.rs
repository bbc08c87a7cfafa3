//! The contents of a received document, in either format.

use std::fs::File;
use std::io::{self, Read};

use strongroom_age::SealedFile;
use strongroom_archive::document::{DocumentLimits, Form, Outline, TakeRows, form};
use strongroom_import::Connections;
use tokio_util::sync::CancellationToken;

use super::error::MoveError;
use crate::error::{Error, Result};
use crate::incoming::{MemoryLimits, Staged};

/// A document, without its rows.
pub(super) enum Contents {
    /// Our own format.
    Tables(Outline),
    /// Gatwy's connection export.
    Connections(Connections),
}

/// A document that can be read repeatedly.
pub(super) struct Document {
    staged: Staged,
    limits: DocumentLimits,
    stop: CancellationToken,
}

impl Document {
    /// `stop` ends the threads that read it.
    pub(super) fn new(staged: Staged, memory: MemoryLimits, stop: CancellationToken) -> Self {
        let limits = DocumentLimits { row_bytes: memory.row, head_bytes: memory.manifest };
        Self { staged, limits, stop }
    }

    /// Determines its format, and reads all of it once. It may block.
    ///
    /// # Errors
    /// [`MoveError::Document`], [`MoveError::Limit`], [`MoveError::Sealed`], [`MoveError::Gatwy`] and
    /// [`Error::Staging`].
    pub(super) fn contents(&self) -> Result<Contents> {
        Ok(match form(self.open()?)? {
            Form::Tables => Contents::Tables(Outline::read(self.open()?, self.limits)?),
            Form::Gatwy => Contents::Connections(Connections::read(self.open()?)?),
        })
    }

    /// Reads its rows. It may block.
    ///
    /// # Errors
    /// As for [`Self::contents`], and those of `taker`.
    pub(super) fn read_rows(&self, outline: &Outline, taker: &mut dyn TakeRows) -> Result<()> {
        Ok(outline.read_rows(self.open()?, self.limits, taker)?)
    }

    fn open(&self) -> Result<Stoppable> {
        let contents = self.staged.contents()?.ok_or(MoveError::Sealed)?;
        Ok(Stoppable { contents, stop: self.stop.clone() })
    }
}

/// Stops reading a long document when its operation has ended.
struct Stoppable {
    contents: SealedFile<File>,
    stop: CancellationToken,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(Error::ShuttingDown.into());
        }
        self.contents.read(buffer)
    }
}
