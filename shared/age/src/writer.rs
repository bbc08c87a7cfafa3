//! Sealing while writing: one chunk in memory, whatever the length.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::chunk::{CHUNK_BYTES, ChunkCipher, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES};
use super::error::{SealError, SealResult};
use super::header::Header;
use super::keys::{self, FileKey};
use super::passphrase::Passphrase;
use super::stanza::Stanza;
use super::vault::VaultStanza;
use super::x25519::X25519Recipient;
use crate::error::{Error, Result};

/// Who shall be able to open a file. age does not allow a passphrase beside anything else.
#[derive(Debug)]
pub enum Recipients {
    /// Each of them alone.
    Keys(Vec<Recipient>),
    /// Whoever knows it.
    Passphrase(Passphrase),
}

/// One holder of a key.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// A recovery key.
    X25519(X25519Recipient),
    /// The vault, which has wrapped the very file key that the writer is given.
    Vault(VaultStanza),
}

impl Recipients {
    fn wrap(&self, file_key: &FileKey) -> SealResult<Vec<Stanza>> {
        match self {
            Self::Passphrase(passphrase) => Ok(vec![passphrase.wrap(file_key)]),
            Self::Keys(keys) if keys.is_empty() => Err(SealError::NoRecipients),
            Self::Keys(keys) => keys.iter().map(|key| key.wrap(file_key)).collect(),
        }
    }
}

impl Recipient {
    fn wrap(&self, file_key: &FileKey) -> SealResult<Stanza> {
        match self {
            Self::X25519(recipient) => recipient.wrap(file_key),
            Self::Vault(stanza) => Ok(stanza.to_stanza()),
        }
    }
}

/// Seals what is written to it.
///
/// A writer that is dropped before [`SealWriter::finish`] leaves a file without its last chunk, which no
/// reader takes for whole. After an error nothing more can be written.
pub struct SealWriter<W: Write> {
    inner: W,
    cipher: ChunkCipher,
    /// The plaintext of the chunk being filled.
    chunk: Zeroizing<Vec<u8>>,
    number: u64,
    failed: bool,
}

impl<W: Write> SealWriter<W> {
    /// Writes the header to `out`. With a passphrase this takes 256 MiB and most of a second.
    ///
    /// # Errors
    /// [`SealError::NoRecipients`], [`SealError::HeaderTooLong`], or [`Error::Sink`] with the error of `out`.
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

    /// Writes the last chunk, without which the file does not open, and returns the receiver.
    ///
    /// # Errors
    /// [`Error::Sink`] with the receiver's error.
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
        // A receiver that failed half way has part of the chunk: nothing can follow it.
        self.failed = true;
        self.inner.write_all(&self.chunk)?;
        self.failed = false;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    /// A full chunk is kept until more comes, because it may be the last one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed || (self.chunk.len() == CHUNK_BYTES && !bytes.is_empty()) {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Passes on what is sealed. What is in the chunk being filled stays there.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
