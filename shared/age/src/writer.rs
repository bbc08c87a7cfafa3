//! Sealing a stream: one chunk in memory, whatever the length.

use std::io::{self, Write};

use zeroize::Zeroizing;

use crate::chunk::{CHUNK_BYTES, ChunkCipher, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES};
use crate::error::{Error, Result};
use crate::header::Header;
use crate::keys::{self, FileKey};
use crate::recipient::Recipients;

/// Seals the bytes written to it.
///
/// A writer that is dropped before [`SealWriter::finish`] leaves a file without its last chunk, which every
/// reader rejects as incomplete. After an error nothing more can be written.
pub struct SealWriter<W: Write> {
    inner: W,
    cipher: ChunkCipher,
    /// The plaintext of the chunk being filled.
    chunk: Zeroizing<Vec<u8>>,
    number: u64,
    failed: bool,
}

impl<W: Write> SealWriter<W> {
    /// Writes the header to `out`. A passphrase takes 256 MiB and most of a second.
    ///
    /// # Errors
    /// [`SealError::NoRecipients`], [`SealError::StanzaForm`], [`SealError::HeaderTooLong`], or
    /// [`Error::Sink`] with the error of `out`.
    ///
    /// [`SealError::NoRecipients`]: crate::SealError::NoRecipients
    /// [`SealError::StanzaForm`]: crate::SealError::StanzaForm
    /// [`SealError::HeaderTooLong`]: crate::SealError::HeaderTooLong
    pub fn create(mut out: W, file_key: &FileKey, recipients: &Recipients) -> Result<Self> {
        let header = Header::encode(file_key, &recipients.wrap(file_key)?)?;
        let mut nonce = [0; PAYLOAD_NONCE_BYTES];
        keys::fill_random(&mut nonce);
        out.write_all(&header).and_then(|()| out.write_all(&nonce)).map_err(Error::Sink)?;
        Ok(Self {
            inner: out,
            cipher: ChunkCipher::new(file_key.payload_cipher(&nonce)),
            chunk: Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES)),
            number: 0,
            failed: false,
        })
    }

    /// Writes the last chunk, without which the file cannot be opened, and returns the inner writer.
    ///
    /// # Errors
    /// [`Error::Sink`] with the inner writer's error.
    pub fn finish(mut self) -> Result<W> {
        self.write_chunk(true).map_err(Error::Sink)?;
        self.inner.flush().map_err(Error::Sink)?;
        Ok(self.inner)
    }

    fn write_chunk(&mut self, last: bool) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("the sealed file has already failed"));
        }
        self.cipher.seal(self.number, last, &mut self.chunk);
        // An inner writer that failed midway may have part of the chunk: nothing can follow it.
        self.failed = true;
        self.inner.write_all(&self.chunk)?;
        self.failed = false;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    /// A full chunk is held back until more data arrives, because it may be the last one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed || (self.chunk.len() == CHUNK_BYTES && !bytes.is_empty()) {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Flushes the sealed chunks. The chunk being filled stays in memory.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
