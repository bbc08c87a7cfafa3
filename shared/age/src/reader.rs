//! Opening a file in one pass, from the first byte to the last.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::chunk::{ChunkCipher, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES};
use crate::error::{Error, Result, SealError};
use crate::header::Unlocked;

/// The plaintext of a sealed file, in one pass.
///
/// Plaintext is returned chunk by chunk, each verified. Only when reading has returned 0 is it known that the
/// file was not truncated: do not act on the plaintext before. Errors are `io::Error`s that contain a
/// [`crate::Error`]; after an error, every further read fails.
pub struct SealReader<R> {
    inner: R,
    cipher: ChunkCipher,
    chunk: Zeroizing<Vec<u8>>,
    /// Number of bytes of the chunk already returned.
    given: usize,
    /// The number of the next chunk.
    number: u64,
    state: State,
}

enum State {
    Reading,
    /// The last chunk has been read.
    Last,
    /// `None` after an I/O error of the inner reader: the read that failed has returned it, and it cannot be cloned for
    /// later reads.
    Failed(Option<SealError>),
}

impl<R: Read> SealReader<R> {
    /// Continues where [`crate::Header::read`] left the reader.
    ///
    /// # Errors
    /// [`SealError::NoPayload`] if the file ends there, or the reader's own error.
    pub fn open(mut inner: R, unlocked: &Unlocked) -> Result<Self> {
        let nonce = read_nonce(&mut inner)?;
        Ok(Self {
            inner,
            cipher: ChunkCipher::new(unlocked.file_key.payload_cipher(&nonce)),
            chunk: Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES)),
            given: 0,
            number: 0,
            state: State::Reading,
        })
    }

    fn load(&mut self) -> Result<()> {
        self.chunk.clear();
        self.given = 0;
        let most = SEALED_CHUNK_BYTES as u64;
        self.inner.by_ref().take(most).read_to_end(&mut self.chunk).map_err(Error::from_read)?;
        if self.open_chunk()? {
            self.state = State::Last;
        }
        self.number += 1;
        Ok(())
    }

    /// Decrypts the chunk and returns whether it is the last.
    fn open_chunk(&mut self) -> Result<bool> {
        let length = self.chunk.len();
        if length < TAG_BYTES {
            return Err(no_chunk(self.number, length).into());
        }
        let chunk = self.number;
        let is_full = length == SEALED_CHUNK_BYTES;
        if is_full && self.cipher.open(chunk, false, &mut self.chunk) {
            return Ok(false);
        }
        let is_last = self.cipher.open(chunk, true, &mut self.chunk);
        let at_end = !is_full || self.is_at_end()?;
        match (is_last, at_end) {
            (true, true) if chunk > 0 && self.chunk.is_empty() => Err(SealError::EmptyLastChunk.into()),
            (true, true) => Ok(true),
            (true, false) => Err(SealError::Trailing.into()),
            (false, true) => Err(SealError::LastChunk { chunk }.into()),
            (false, false) => Err(SealError::Chunk { chunk }.into()),
        }
    }

    /// Whether nothing follows. This consumes a following byte, but the file is then refused anyway.
    fn is_at_end(&mut self) -> Result<bool> {
        let mut more = Vec::new();
        self.inner.by_ref().take(1).read_to_end(&mut more).map_err(Error::from_read)?;
        Ok(more.is_empty())
    }
}

/// The error for a file that has only `length` bytes where chunk `chunk` should begin.
pub(crate) fn no_chunk(chunk: u64, length: usize) -> SealError {
    match (chunk, length) {
        (0, _) => SealError::NoPayload,
        (_, 0) => SealError::Truncated { chunk: chunk - 1 },
        _ => SealError::LastChunk { chunk },
    }
}

pub(crate) fn read_nonce<R: Read>(reader: &mut R) -> Result<[u8; PAYLOAD_NONCE_BYTES]> {
    let mut nonce = [0; PAYLOAD_NONCE_BYTES];
    match reader.read_exact(&mut nonce) {
        Ok(()) => Ok(nonce),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SealError::NoPayload.into()),
        Err(error) => Err(Error::from_read(error)),
    }
}

impl<R: Read> Read for SealReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.given == self.chunk.len() {
            match &self.state {
                State::Reading => {}
                State::Last => return Ok(0),
                State::Failed(Some(error)) => return Err(Error::from(error.clone()).into()),
                State::Failed(None) => return Err(io::Error::other("the sealed file could not be read")),
            }
            if let Err(error) = self.load() {
                return Err(self.fail(error));
            }
        }
        let rest = &self.chunk[self.given..];
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.given += taken;
        Ok(taken)
    }
}

impl<R> SealReader<R> {
    /// Keeps the error for later reads, and discards the chunk that failed.
    fn fail(&mut self, error: Error) -> io::Error {
        self.chunk.clear();
        self.given = 0;
        self.state = State::Failed(match &error {
            Error::Seal(error) => Some(error.clone()),
            _ => None,
        });
        match error {
            Error::Read(error) => error,
            other => other.into(),
        }
    }
}
