//! Writing an archive into a stream.
//!
//! Entries are hashed and counted while they are compressed; the manifest comes last, because only then
//! is everything known. Nothing is held in memory but a record an entry. A writer that is dropped before
//! [`ArchiveWriter::finish`] leaves a file without an end, which no reader takes for an archive.

mod files;
mod tables;

use std::collections::HashSet;
use std::io::{self, Write};

use sha2::{Digest, Sha256};
use strongroom_deflate::{Compression, StreamDeflater};

pub use self::files::FileCheck;
use self::tables::OpenTable;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::manifest::{
    EntryKind, EntryRecord, MANIFEST_ENTRY, Manifest, ManifestHead, ManifestSignature, RING_ENTRY,
    SIGNATURE_ENTRY,
};
use crate::zip::{EntryNames, ZipStream, check_name, fold_case};

/// What is known of an entry before its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryMeta {
    /// Its name in the ZIP, by the rules of FORMAT.md §2.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// The table it belongs to.
    pub table: Option<String>,
    /// The source it was read from.
    pub source: Option<String>,
}

/// Writes an archive into any `Write`, without seeking.
///
/// After an error nothing more can be written; drop the writer. [`Error::Sink`] is the receiver's own
/// error, unchanged.
pub struct ArchiveWriter<W: Write> {
    zip: ZipStream<W>,
    deflater: StreamDeflater,
    limits: Limits,
    files: EntryNames,
    folded_names: HashSet<String>,
    total_bytes: u64,
    entries: Vec<EntryRecord>,
    open: Option<OpenEntry>,
    open_table: Option<OpenTable>,
    has_failed: bool,
}

struct OpenEntry {
    meta: EntryMeta,
    bytes: u64,
    digest: Sha256,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive. Nothing is written before the first entry.
    pub fn create(out: W, limits: Limits, compression: Compression) -> Self {
        Self {
            zip: ZipStream::create(out),
            deflater: StreamDeflater::create(compression),
            limits,
            files: EntryNames::default(),
            folded_names: HashSet::new(),
            total_bytes: 0,
            entries: Vec::new(),
            open: None,
            open_table: None,
            has_failed: false,
        }
    }

    /// Begins an entry. Its name must follow FORMAT.md §2 and not be the manifest's or its signature's.
    pub fn start_entry(&mut self, meta: EntryMeta) -> Result<()> {
        if self.open.is_some() {
            return Err(Error::Usage("an entry is still open; finish it first"));
        }
        if meta.name == MANIFEST_ENTRY || meta.name == SIGNATURE_ENTRY {
            return Err(Error::Usage("finish() writes the manifest"));
        }
        // Two more for the manifest and its signature.
        self.limits.check_entries(self.entries.len() as u64 + 3)?;
        self.check_name(&meta.name)?;
        self.start_zip_entry(&meta.name)?;
        self.open = Some(OpenEntry { meta, bytes: 0, digest: Sha256::new() });
        Ok(())
    }

    /// Appends to the open entry.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(Error::Usage("no entry is open"));
        };
        let added = bytes.len() as u64;
        self.limits.check_entry(&open.meta.name, open.bytes + added)?;
        self.limits.check_total(self.total_bytes + added)?;
        open.bytes += added;
        open.digest.update(bytes);
        self.total_bytes += added;
        self.compress(bytes)
    }

    /// Ends the open entry and returns what the manifest will say of it.
    pub fn finish_entry(&mut self, rows: Option<u64>) -> Result<EntryRecord> {
        self.close_entry(rows, false)
    }

    fn close_entry(&mut self, rows: Option<u64>, grew: bool) -> Result<EntryRecord> {
        let Some(open) = self.open.take() else {
            return Err(Error::Usage("no entry is open"));
        };
        self.end_zip_entry()?;
        let record = EntryRecord {
            name: open.meta.name,
            bytes: open.bytes,
            sha256: hex::encode(open.digest.finalize()),
            kind: open.meta.kind,
            table: open.meta.table,
            source: open.meta.source,
            rows,
            grew,
        };
        self.entries.push(record.clone());
        Ok(record)
    }

    /// Writes the key ring: one JSON document, as the vault hands it out.
    pub fn write_ring(&mut self, json: &[u8]) -> Result<()> {
        let as_json = serde_json::from_slice::<serde::de::IgnoredAny>(json);
        as_json.map_err(|source| Error::Json { entry: RING_ENTRY.to_owned(), source })?;
        let meta =
            EntryMeta { name: RING_ENTRY.to_owned(), kind: EntryKind::Ring, table: None, source: None };
        self.write_small(meta, json)
    }

    /// Writes the manifest and the end of the ZIP; returns both the manifest and the receiver.
    ///
    /// Fails when an entry is still open or a table lacks its rows or its schema.
    pub fn finish(self, head: ManifestHead) -> Result<(Manifest, W)> {
        self.finish_with(head, |_| Ok(None))
    }

    /// The same with a signature: `sign` gets the manifest's bytes. Its error comes back as [`Error::Sink`].
    pub fn finish_signed(
        self,
        head: ManifestHead,
        sign: impl FnOnce(&[u8]) -> io::Result<ManifestSignature>,
    ) -> Result<(Manifest, W)> {
        self.finish_with(head, |manifest| sign(manifest).map(Some))
    }

    fn finish_with(
        mut self,
        head: ManifestHead,
        sign: impl FnOnce(&[u8]) -> io::Result<Option<ManifestSignature>>,
    ) -> Result<(Manifest, W)> {
        if self.open.is_some() {
            return Err(Error::Usage("an entry is still open; finish it first"));
        }
        let manifest = Manifest::create(head, std::mem::take(&mut self.entries))?;
        let mut json = serde_json::to_vec_pretty(&manifest).map_err(Error::ManifestJson)?;
        json.push(b'\n');
        if json.len() as u64 > self.limits.manifest_bytes {
            return Err(Error::entry_limit(MANIFEST_ENTRY, self.limits.manifest_bytes, "bytes"));
        }
        self.write_last(MANIFEST_ENTRY, &json)?;
        if let Some(signature) = sign(&json).map_err(Error::Sink)? {
            self.write_last(SIGNATURE_ENTRY, format!("{signature}\n").as_bytes())?;
        }
        self.check_alive()?;
        let out = self.zip.finish().map_err(Error::Sink)?;
        Ok((manifest, out))
    }

    /// An entry that the manifest does not list.
    fn write_last(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.check_name(name)?;
        self.start_zip_entry(name)?;
        self.compress(bytes)?;
        self.end_zip_entry()
    }

    /// An entry whose bytes are all here, within [`Limits::schema_bytes`].
    fn write_small(&mut self, meta: EntryMeta, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > self.limits.schema_bytes {
            return Err(Error::entry_limit(&meta.name, self.limits.schema_bytes, "bytes"));
        }
        self.start_entry(meta)?;
        self.write(bytes)?;
        self.finish_entry(None)?;
        Ok(())
    }

    fn check_name(&mut self, name: &str) -> Result<()> {
        check_name(name, &self.limits)?;
        if !self.folded_names.insert(fold_case(name)) {
            return Err(Error::CaseDuplicate { entry: name.to_owned() });
        }
        Ok(())
    }

    fn start_zip_entry(&mut self, name: &str) -> Result<()> {
        self.check_alive()?;
        let result = self.zip.start(name).map_err(Error::Sink);
        self.noting_failure(result)
    }

    fn compress(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_alive()?;
        let result = self.deflater.write(bytes, &mut self.zip).map_err(Error::from);
        self.noting_failure(result)
    }

    fn end_zip_entry(&mut self) -> Result<()> {
        self.check_alive()?;
        let totals = self.deflater.end(&mut self.zip).map_err(Error::from);
        let result = totals.and_then(|totals| self.zip.end(totals.crc32, totals.bytes).map_err(Error::Sink));
        self.noting_failure(result)
    }

    fn check_alive(&self) -> Result<()> {
        if self.has_failed { Err(Error::Usage("the archive has already failed")) } else { Ok(()) }
    }

    fn noting_failure(&mut self, result: Result<()>) -> Result<()> {
        self.has_failed |= result.is_err();
        result
    }
}
