//! Size limits of an archive: one set for writer and reader, so that nothing is written that cannot be read.

use crate::error::{Error, Result};

/// Limits of an archive; every value is inclusive. FORMAT.md §8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of entries, including the manifest and its signature.
    pub entries: u64,
    /// Bytes of an entry's name.
    pub entry_name_bytes: u64,
    /// Uncompressed bytes of an entry.
    pub entry_bytes: u64,
    /// Uncompressed bytes of all entries listed in the manifest.
    pub total_bytes: u64,
    /// Bytes of `manifest.json`.
    pub manifest_bytes: u64,
    /// Bytes of a schema entry or of the key ring.
    pub schema_bytes: u64,
    /// Bytes of a row, without its separator.
    pub row_bytes: u64,
    /// Uncompressed bytes per compressed byte. Deflate itself reaches at most about 1,032
    /// (<https://zlib.net/zlib_tech.html>), so the limit only refuses data that is not deflate.
    pub ratio: u64,
}

impl Limits {
    /// The limits of format version 1.
    pub const V1: Self = Self {
        entries: 100_000,
        entry_name_bytes: 1024,
        entry_bytes: 1 << 40,
        total_bytes: 4 << 40,
        manifest_bytes: 64 << 20,
        schema_bytes: 16 << 20,
        row_bytes: 256 << 20,
        ratio: 1100,
    };

    pub(crate) fn check_entry(&self, entry: &str, bytes: u64) -> Result<()> {
        if bytes > self.entry_bytes {
            return Err(Error::entry_limit(entry, self.entry_bytes, "bytes"));
        }
        Ok(())
    }

    pub(crate) fn check_total(&self, bytes: u64) -> Result<()> {
        if bytes > self.total_bytes {
            return Err(Error::archive_limit(self.total_bytes, "uncompressed bytes"));
        }
        Ok(())
    }

    pub(crate) fn check_entries(&self, count: u64) -> Result<()> {
        if count > self.entries {
            return Err(Error::archive_limit(self.entries, "entries"));
        }
        Ok(())
    }
}
