//! The destination of the ZIP: the seal, or the output itself.

use std::io::{self, Write};

use strongroom_age::SealWriter;

use crate::error::Result;
use crate::seal::Seal;

/// Seals the written bytes, unless the archive is plain.
pub(crate) enum Envelope<W: Write> {
    Plain(W),
    Sealed(Box<SealWriter<W>>),
}

impl<W: Write> Envelope<W> {
    /// Writes the seal's header to `out`. A passphrase takes 256 MiB and most of a second.
    pub(crate) fn create(out: W, seal: Option<&Seal>) -> Result<Self> {
        match seal {
            None => Ok(Self::Plain(out)),
            Some(Seal { file_key, recipients }) => {
                Ok(Self::Sealed(Box::new(SealWriter::create(out, file_key, recipients)?)))
            }
        }
    }

    /// Writes the end of the seal and returns the output.
    pub(crate) fn finish(self) -> Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Sealed(writer) => Ok(writer.finish()?),
        }
    }
}

impl<W: Write> Write for Envelope<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}
