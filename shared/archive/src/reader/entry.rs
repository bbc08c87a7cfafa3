//! One entry as it is decompressed: counted, limited and hashed.

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use zip::read::ZipFile;

use crate::error::{Error, Result};
use crate::manifest::EntryRecord;

/// The bytes of an entry. Reading fails as soon as there are more bytes than the manifest or the ratio
/// allows, and at the end if there are too few or the digest differs. Such an `io::Error` contains this
/// crate's [`Error`]; [`EntryReader::finish`] returns it directly.
pub struct EntryReader<'a, R: Read> {
    file: ZipFile<'a, R>,
    record: &'a EntryRecord,
    /// The maximum decompressed size of the compressed bytes, and the ratio that it results from.
    most: u64,
    ratio: u64,
    read: u64,
    digest: Option<Sha256>,
}

impl<'a, R: Read> EntryReader<'a, R> {
    pub(super) fn new(file: ZipFile<'a, R>, record: &'a EntryRecord, ratio: u64) -> Self {
        let most = file.compressed_size().saturating_mul(ratio);
        Self { file, record, most, ratio, read: 0, digest: Some(Sha256::new()) }
    }

    /// Reads the rest and returns the length of the whole entry.
    pub fn finish(mut self) -> Result<u64> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(self.read),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::from_read(error));
                }
                _ => {}
            }
        }
    }

    fn count(&mut self, bytes: &[u8]) -> Result<()> {
        let name = &self.record.name;
        self.read += bytes.len() as u64;
        if self.read > self.record.bytes {
            return Err(self.wrong_length());
        }
        if self.read > self.most {
            return Err(Error::entry_limit(name, self.ratio, "times its compressed size"));
        }
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(digest) = self.digest.take() else {
            return Ok(());
        };
        if self.read != self.record.bytes {
            return Err(self.wrong_length());
        }
        if hex::encode(digest.finalize()) != self.record.sha256 {
            return Err(Error::Digest { entry: self.record.name.clone() });
        }
        Ok(())
    }

    /// Damage of the compressed data, or of the seal around it.
    fn damaged(&self, error: io::Error) -> Error {
        let damaged = |source| Error::Damaged { entry: self.record.name.clone(), source };
        Error::unwrapped(error).unwrap_or_else(damaged)
    }

    fn wrong_length(&self) -> Error {
        Error::Length { entry: self.record.name.clone(), expected: self.record.bytes }
    }
}

impl<R: Read> Read for EntryReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.file.read(buffer) {
            Ok(0) => self.end().map(|()| 0).map_err(io::Error::from),
            Ok(length) => {
                self.count(&buffer[..length])?;
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.damaged(error).into()),
        }
    }
}
