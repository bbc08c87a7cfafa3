//! Writing an archive to a stream.
//!
//! Entries are hashed and counted as they are compressed; the manifest comes last, because only then is
//! everything known. Only one record per entry is held in memory. A writer that is dropped before
//! [`ArchiveWriter::finish`] leaves a file without an end, which every reader refuses.

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
    CANARY_ENTRY, EntryKind, EntryRecord, MANIFEST_ENTRY, Manifest, ManifestHead, ManifestSignature,
    RING_ENTRY, SCHEDULES_ENTRY, SIGNATURE_ENTRY,
};
use crate::rows::schema::DatabaseSchema;
use crate::zip::{EntryNames, FilePaths, ZipStream, check_name, fold_case};

/// Writes an archive to any `Write`, without seeking.
///
/// After an error nothing more can be written; drop the writer. [`Error::Sink`] is the output's own error,
/// unchanged.
pub struct ArchiveWriter<W: Write> {
    zip: ZipStream<W>,
    deflater: StreamDeflater,
    limits: Limits,
    files: EntryNames,
    sources: EntryNames,
    paths: FilePaths,
    folded_names: HashSet<String>,
    total_bytes: u64,
    entries: Vec<EntryRecord>,
    open: Option<OpenEntry>,
    open_table: Option<OpenTable>,
    has_failed: bool,
}

struct OpenEntry {
    record: EntryRecord,
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
            sources: EntryNames::default(),
            paths: FilePaths::default(),
            folded_names: HashSet::new(),
            total_bytes: 0,
            entries: Vec::new(),
            open: None,
            open_table: None,
            has_failed: false,
        }
    }

    /// Begins an entry. `record` contains what is known before its first byte. Its name must follow FORMAT.md
    /// §2 and must not be that of the manifest or its signature.
    pub fn start_entry(&mut self, record: EntryRecord) -> Result<()> {
        if self.open.is_some() {
            return Err(Error::Usage("an entry is still open; finish it first"));
        }
        if record.name == MANIFEST_ENTRY || record.name == SIGNATURE_ENTRY {
            return Err(Error::Usage("finish() writes the manifest"));
        }
        // Two more entries: the manifest and its signature.
        self.limits.check_entries(self.entries.len() as u64 + 3)?;
        self.check_name(&record.name)?;
        self.start_zip_entry(&record.name)?;
        self.open = Some(OpenEntry { record, digest: Sha256::new() });
        Ok(())
    }

    /// Appends to the open entry.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(Error::Usage("no entry is open"));
        };
        let added = bytes.len() as u64;
        self.limits.check_entry(&open.record.name, open.record.bytes + added)?;
        self.limits.check_total(self.total_bytes + added)?;
        open.record.bytes += added;
        open.digest.update(bytes);
        self.total_bytes += added;
        self.compress(bytes)
    }

    /// Ends the open entry and returns its record for the manifest.
    pub fn finish_entry(&mut self) -> Result<EntryRecord> {
        let Some(OpenEntry { mut record, digest }) = self.open.take() else {
            return Err(Error::Usage("no entry is open"));
        };
        self.end_zip_entry()?;
        record.sha256 = hex::encode(digest.finalize());
        self.entries.push(record.clone());
        Ok(record)
    }

    /// Completes the record of the open entry.
    fn note(&mut self, complete: impl FnOnce(&mut EntryRecord)) {
        if let Some(open) = &mut self.open {
            complete(&mut open.record);
        }
    }

    /// Writes the key ring: one JSON document, as returned by the vault.
    pub fn write_ring(&mut self, json: &[u8]) -> Result<()> {
        self.write_json(EntryRecord::new(RING_ENTRY, EntryKind::Ring), json)
    }

    /// Writes the backup service's schedules: one JSON document.
    pub fn write_schedules(&mut self, json: &[u8]) -> Result<()> {
        self.write_json(EntryRecord::new(SCHEDULES_ENTRY, EntryKind::Schedules), json)
    }

    /// Writes a database's objects other than tables.
    pub fn write_database(&mut self, database: &DatabaseSchema) -> Result<()> {
        let name = format!("databases/{}.json", self.sources.for_table(&database.source));
        let json = serde_json::to_vec_pretty(database);
        let mut json = json.map_err(|source| Error::Json { entry: name.clone(), source })?;
        json.push(b'\n');
        let source = Some(database.source.clone());
        self.write_small(EntryRecord { source, ..EntryRecord::new(&name, EntryKind::Database) }, &json)
    }

    /// Writes the canary: 64 lower-case hex digits, unpredictable and unique to this archive.
    pub fn write_canary(&mut self, canary: &str) -> Result<()> {
        let line = format!("{canary}\n");
        self.write_small(EntryRecord::new(CANARY_ENTRY, EntryKind::Canary), line.as_bytes())
    }

    /// Begins the large object `oid` of a source; its bytes follow with [`ArchiveWriter::write`].
    pub fn start_large_object(&mut self, source: &str, oid: u32) -> Result<()> {
        let name = format!("large-objects/{}/{oid}", self.sources.for_table(source));
        let record = EntryRecord::new(&name, EntryKind::LargeObject);
        self.start_entry(EntryRecord { source: Some(source.to_owned()), ..record })
    }

    /// Writes the manifest and the end of the ZIP; returns the manifest and the output.
    ///
    /// Fails if an entry is still open or a table lacks its rows or its schema.
    pub fn finish(self, head: ManifestHead) -> Result<(Manifest, W)> {
        self.finish_with(head, |_| Ok(None))
    }

    /// The same with a signature: `sign` receives the manifest's bytes. Its error is returned as
    /// [`Error::Sink`].
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
        let zip_sha256 = self.zip.take_sha256();
        let manifest = Manifest::create(head, std::mem::take(&mut self.entries), zip_sha256)?;
        let json = manifest.to_json()?;
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

    /// Writes an entry that the manifest does not list: stored, so that it has exactly one form.
    fn write_last(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.check_name(name)?;
        self.check_alive()?;
        let result = self.store(name, bytes);
        self.noting_failure(result)
    }

    /// The deflater computes the checksum; its compressed output is discarded.
    fn store(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.deflater.write(bytes, &mut io::sink())?;
        let totals = self.deflater.end(&mut io::sink())?;
        self.zip.store(name, bytes, totals.crc32).map_err(Error::Sink)
    }

    /// Writes an entry whose content is complete, within [`Limits::schema_bytes`].
    fn write_small(&mut self, record: EntryRecord, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > self.limits.schema_bytes {
            return Err(Error::entry_limit(&record.name, self.limits.schema_bytes, "bytes"));
        }
        self.start_entry(record)?;
        self.write(bytes)?;
        self.finish_entry().map(drop)
    }

    fn write_json(&mut self, record: EntryRecord, json: &[u8]) -> Result<()> {
        let entry = &record.name;
        let as_json = serde_json::from_slice::<serde::de::IgnoredAny>(json);
        as_json.map_err(|source| Error::Json { entry: entry.clone(), source })?;
        self.write_small(record, json)
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
