//! A ZIP made by another product: read as strictly, but without a manifest to compare it with.
//!
//! Its contents are only protected by the ZIP's own checksums, and its set of entries is not verified.

use std::io::{self, Read, Seek};
use std::sync::Arc;

use zip::ZipReadOptions;
use zip::read::{ZipArchiveMetadata, ZipFile};

use super::policy::{CheckedZip, open_zip};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// A foreign ZIP in a seekable file. FORMAT.md §2 specifies what is refused.
pub struct PlainZip<R> {
    reader: R,
    metadata: Arc<ZipArchiveMetadata>,
    names: Vec<String>,
    limits: Limits,
}

impl<R: Read + Seek> PlainZip<R> {
    /// Opens a ZIP and checks its whole structure, but none of its contents.
    ///
    /// # Errors
    /// Those of the policy, with the entry's name.
    pub fn open(reader: R, limits: Limits) -> Result<Self> {
        let CheckedZip { metadata, reader, names, .. } = open_zip(reader, &limits)?;
        Ok(Self { reader, metadata, names, limits })
    }

    /// The entries in the order of the central directory.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads one entry of at most `limit` bytes. Its checksum is compared at its end; only then are the bytes
    /// read valid.
    ///
    /// # Errors
    /// [`Error::NoEntry`] if there is no entry of that name.
    pub fn entry(&mut self, name: &str, limit: u64) -> Result<PlainEntry<'_, R>> {
        let place = self.names.iter().position(|known| known == name);
        let place = place.ok_or_else(|| Error::NoEntry { entry: name.to_owned() })?;
        let entry = self.metadata.entry(place).map_err(Error::from_zip)?;
        let file = entry.with_reader(&mut self.reader, ZipReadOptions::new()).map_err(Error::from_zip)?;
        let limits = Limits { entry_bytes: limit.min(self.limits.entry_bytes), ..self.limits };
        let most = file.compressed_size().saturating_mul(limits.ratio);
        Ok(PlainEntry { file, name: name.to_owned(), most, limits, read: 0 })
    }
}

/// The bytes of an entry, counted as they are decompressed: the sizes stated in the ZIP are not trusted.
///
/// An `io::Error` of its `Read` contains this crate's [`Error`].
pub struct PlainEntry<'a, R: Read> {
    file: ZipFile<'a, R>,
    name: String,
    most: u64,
    limits: Limits,
    read: u64,
}

impl<R: Read> PlainEntry<'_, R> {
    fn count(&mut self, length: usize) -> Result<()> {
        self.read += length as u64;
        self.limits.check_entry(&self.name, self.read)?;
        if self.read > self.most {
            return Err(Error::entry_limit(&self.name, self.limits.ratio, "times its compressed size"));
        }
        Ok(())
    }
}

impl<R: Read> Read for PlainEntry<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buffer) {
            Ok(length) => {
                self.count(length)?;
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(source) => Err(Error::Damaged { entry: self.name.clone(), source }.into()),
        }
    }
}
