//! Random access: the plaintext of a sealed file as a seekable file.
//!
//! Chunks have a fixed size, so a plaintext position determines its chunk. The last chunk is verified before
//! any plaintext is returned: the chunk number in its nonce proves the length.

use std::io::{self, Read, Seek, SeekFrom};

use zeroize::Zeroizing;

use crate::chunk::{CHUNK_BYTES, ChunkCipher, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES};
use crate::error::{Error, Result, SealError};
use crate::header::Unlocked;
use crate::reader::{no_chunk, read_nonce};

/// The plaintext of a sealed file with random access. One chunk is in memory, and only requested chunks are
/// read. Plaintext that was read is authentic and at its correct position; chunks not yet read may be
/// damaged.
///
/// `read` returns `io::Error`s that contain a [`crate::Error`].
pub struct SealedFile<R> {
    inner: R,
    cipher: ChunkCipher,
    /// Offset of the first chunk in the file.
    start: u64,
    length: u64,
    position: u64,
    chunk: Zeroizing<Vec<u8>>,
    /// The number of the chunk in memory.
    loaded: Option<u64>,
}

impl<R: Read + Seek> SealedFile<R> {
    /// Verifies the last chunk. `inner` is the whole file, including the header at byte 0; its position does
    /// not matter.
    ///
    /// # Errors
    /// [`Error::Seal`] if the file does not end as it was written, or the error of `inner`.
    pub fn open(mut inner: R, unlocked: &Unlocked) -> Result<Self> {
        let start = unlocked.header_bytes + PAYLOAD_NONCE_BYTES as u64;
        let end = inner.seek(SeekFrom::End(0)).map_err(Error::from_read)?;
        inner.seek(SeekFrom::Start(unlocked.header_bytes)).map_err(Error::from_read)?;
        let nonce = read_nonce(&mut inner)?;
        let mut file = Self {
            inner,
            cipher: ChunkCipher::new(unlocked.file_key.payload_cipher(&nonce)),
            start,
            length: 0,
            position: 0,
            chunk: Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES)),
            loaded: None,
        };
        file.length = file.check_end(end.saturating_sub(start))?;
        Ok(file)
    }

    /// Length of the plaintext in bytes.
    #[must_use]
    pub fn plaintext_bytes(&self) -> u64 {
        self.length
    }

    /// Verifies the last of `sealed` bytes of chunks, and returns the length of the plaintext.
    fn check_end(&mut self, sealed: u64) -> Result<u64> {
        let number = sealed.saturating_sub(1) / SEALED_CHUNK_BYTES as u64;
        self.read_chunk(number)?;
        if self.chunk.len() < TAG_BYTES {
            return Err(no_chunk(number, self.chunk.len()).into());
        }
        let is_full = self.chunk.len() == SEALED_CHUNK_BYTES;
        if !self.cipher.open(number, true, &mut self.chunk) {
            let is_inner = is_full && self.cipher.open(number, false, &mut self.chunk);
            let cut = SealError::Truncated { chunk: number };
            return Err(if is_inner { cut } else { SealError::LastChunk { chunk: number } }.into());
        }
        if number > 0 && self.chunk.is_empty() {
            return Err(SealError::EmptyLastChunk.into());
        }
        self.loaded = Some(number);
        Ok(number * CHUNK_BYTES as u64 + self.chunk.len() as u64)
    }

    /// Loads the chunk that contains `position`, which must be below the length.
    fn load(&mut self, position: u64) -> Result<()> {
        let number = position / CHUNK_BYTES as u64;
        if self.loaded == Some(number) {
            return Ok(());
        }
        self.loaded = None;
        self.read_chunk(number)?;
        let last = (self.length - 1) / CHUNK_BYTES as u64;
        if !self.cipher.open(number, number == last, &mut self.chunk) {
            return Err(SealError::Chunk { chunk: number }.into());
        }
        self.loaded = Some(number);
        Ok(())
    }

    /// Reads a chunk's bytes as stored; fewer at the end of the file.
    fn read_chunk(&mut self, number: u64) -> Result<()> {
        self.chunk.clear();
        let place = self.start + number * SEALED_CHUNK_BYTES as u64;
        self.inner.seek(SeekFrom::Start(place)).map_err(Error::from_read)?;
        let most = SEALED_CHUNK_BYTES as u64;
        self.inner.by_ref().take(most).read_to_end(&mut self.chunk).map_err(Error::from_read)?;
        Ok(())
    }
}

impl<R: Read + Seek> Read for SealedFile<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.length {
            return Ok(0);
        }
        self.load(self.position)?;
        let offset = self.position % CHUNK_BYTES as u64;
        let length = (&self.chunk[offset as usize..]).read(buffer)?;
        self.position += length as u64;
        Ok(length)
    }
}

impl<R> Seek for SealedFile<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let before_start = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the start");
        self.position = position.ok_or_else(before_start)?;
        Ok(self.position)
    }
}
