//! Verifying a whole archive without any service: every byte, every digest, every row.
//!
//! Entries are verified one by one, so that a caller that wants a verdict on each can continue after a bad
//! one; [`verify`] stops there. The bytes between entries are verified at the end, as a whole.

mod references;

use std::collections::HashSet;
use std::io::{self, Read, Seek};

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::manifest::{AadTemplate, EncryptedColumn, EntryKind, EntryRecord};
use crate::quote::Quoted;
use crate::reader::ArchiveReader;
use crate::rows::check_value;
use crate::rows::schema::TableSchema;
pub use references::{Dangling, ReferenceReport, References};

/// Maximum number of values that [`verify`] remembers for references.
const MOST_VALUES: usize = 8_000_000;
/// Number of bytes between two calls of [`Watch::progress`].
const PROGRESS_STEP: u64 = 1 << 20;

/// The contents of a verified archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The manifest's id.
    pub archive_id: String,
    /// The application.
    pub app_name: String,
    /// When the export began.
    pub created_at: Timestamp,
    /// Each table with its counted rows, in archive order.
    pub tables: Vec<(String, u64)>,
    /// Number of files in file sets.
    pub files: u64,
    /// Number of entries, without the manifest.
    pub entries: u64,
    /// Their uncompressed bytes.
    pub bytes: u64,
    /// The result of checking references between tables.
    pub references: ReferenceReport,
}

/// Observes the verification of an entry. An error of the observer ends the verification and is returned
/// unchanged.
pub trait Watch {
    /// A row, in column order. Its values are authentic only if its entry is valid as a whole.
    ///
    /// # Errors
    /// The observer's.
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> Result<()>;

    /// Number of bytes of the entry read so far, including those of an incomplete row; called once per MiB.
    ///
    /// # Errors
    /// The observer's.
    fn progress(&mut self, bytes: u64) -> Result<()>;
}

/// Reports progress, and collects references.
struct Whole<'a> {
    before: u64,
    tell: &'a mut dyn FnMut(u64),
    references: References,
}

impl Watch for Whole<'_> {
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> Result<()> {
        self.references.add(schema, values);
        Ok(())
    }

    fn progress(&mut self, bytes: u64) -> Result<()> {
        (self.tell)(self.before + bytes);
        Ok(())
    }
}

/// Reads and verifies a whole archive: digests, lengths, counts, rows against their schema, each value
/// against the forms of its engine, references between tables, and finally [`verify_frame`]. Memory is one
/// row, and up to 128 MiB for the references. `progress` receives the number of bytes verified so far; the
/// total is the sum of [`crate::EntryRecord::bytes`], and is passed again for each MiB of the frame.
///
/// # Errors
/// The first fault found. [`Error::Dangling`] for a reference to missing rows, except in SQLite, which allows
/// applications to have them: these are in the report.
pub fn verify<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report> {
    let mut tables = Vec::new();
    let references = References::plan(archive, MOST_VALUES, &mut || Ok(()))?;
    let mut watch = Whole { before: 0, tell: progress, references };
    for index in 0..archive.entries().len() {
        let rows = verify_entry(archive, index, &mut watch)?;
        let record = &archive.entries()[index];
        if let (EntryKind::Table, Some(table)) = (record.kind, &record.table) {
            tables.push((table.clone(), rows));
        }
        watch.before += record.bytes;
        watch.progress(0)?;
    }
    let bytes = watch.before;
    verify_frame(archive, &mut |_| watch.progress(0))?;
    let references = watch.references.finish();
    if let Some(dangling) = references.dangling.iter().find(|one| one.is_enforced) {
        return Err(Error::Dangling(dangling.to_string()));
    }
    let manifest = archive.manifest();
    let files = manifest.entries.iter().filter(|entry| entry.kind == EntryKind::File);
    Ok(Report {
        files: files.count() as u64,
        archive_id: manifest.archive_id.clone(),
        app_name: manifest.app_name.clone(),
        created_at: manifest.created_at,
        tables,
        entries: manifest.entries.len() as u64,
        bytes,
        references,
    })
}

/// Verifies the bytes outside of entries, which [`verify_entry`] does not cover: reads the file once, up to
/// the manifest, and compares its SHA-256 with the manifest's `zip_sha256`. A caller that verifies entry by
/// entry calls this afterwards, because the entries' errors are more specific. `progress` receives the number
/// of bytes read so far, for each MiB; its error ends the verification and is returned unchanged.
///
/// # Errors
/// [`Error::Frame`] if the bytes have changed.
pub fn verify_frame<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut digest = Sha256::new();
    read_through(archive.before_manifest()?, |bytes| digest.update(bytes), progress)?;
    if hex::encode(digest.finalize()) != archive.manifest().zip_sha256 {
        return Err(Error::Frame);
    }
    Ok(())
}

/// Verifies the entry at `index` of [`ArchiveReader::entries`] as [`verify`] does, and returns its number of
/// rows, which is 0 if it is not a table.
pub fn verify_entry<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    index: usize,
    watch: &mut dyn Watch,
) -> Result<u64> {
    let record = &archive.entries()[index];
    let (kind, table) = (record.kind, record.table.clone().unwrap_or_default());
    match kind {
        EntryKind::Table => return verify_table(archive, &table, watch),
        EntryKind::Schema => verify_schema(archive, &table)?,
        EntryKind::Database => archive.read_database(index).map(drop)?,
        EntryKind::Ring | EntryKind::Schedules => verify_json(archive, index)?,
        EntryKind::Canary => verify_canary(archive, index)?,
        EntryKind::File | EntryKind::LargeObject | EntryKind::Other => verify_bytes(archive, index, watch)?,
    }
    Ok(0)
}

fn verify_bytes<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    index: usize,
    watch: &mut dyn Watch,
) -> Result<()> {
    read_through(archive.entry_at(index)?, |_| {}, &mut |bytes| watch.progress(bytes))
}

/// Reads to the end, and calls `progress` for each MiB.
fn read_through(
    mut reader: impl Read,
    mut each: impl FnMut(&[u8]),
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let (mut read, mut shown) = (0, 0);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                each(&buffer[..length]);
                read += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_read(error)),
        }
        if read - shown >= PROGRESS_STEP {
            shown = read;
            progress(shown)?;
        }
    }
}

fn verify_table<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    table: &str,
    watch: &mut dyn Watch,
) -> Result<u64> {
    let schema = archive.read_schema(table)?;
    let expected = archive.rows_of(table);
    let mut rows = archive.rows(&schema)?;
    let (mut found, mut shown) = (0, 0);
    while let Some(values) = rows.next_row_watched(&mut |bytes| watch.progress(bytes))? {
        let checked = values.iter().try_for_each(|value| check_value(schema.engine, value));
        if let Err(error) = checked {
            return Err(rows.malformed(&format!("is not a valid row: {error}")));
        }
        watch.row(&schema, &values)?;
        found += 1;
        if rows.bytes() - shown >= PROGRESS_STEP {
            shown = rows.bytes();
            watch.progress(shown)?;
        }
    }
    if found != expected {
        return Err(Error::Count { table: table.to_owned(), expected, found });
    }
    Ok(found)
}

/// The schema must match the table's entries and its encrypted columns too.
fn verify_schema<R: Read + Seek>(archive: &mut ArchiveReader<R>, table: &str) -> Result<()> {
    let schema = archive.read_schema(table)?;
    let own = [&schema.source, &schema.namespace, &schema.table].map(String::as_str);
    let said = |entry: &EntryRecord| {
        let fields = [&entry.source, &entry.namespace, &entry.own_table];
        fields.map(|field| field.as_deref().unwrap_or_default()) == own
    };
    if let Some(other) = archive.records_of(table).find(|entry| !said(entry)) {
        return Err(Error::OwnTable { entry: other.name.clone() });
    }
    let names: HashSet<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = archive.manifest().encrypted_columns.iter();
    columns.filter(|column| column.table == table).try_for_each(|column| check_column(&names, column))
}

fn check_column(names: &HashSet<&str>, encrypted: &EncryptedColumn) -> Result<()> {
    let EncryptedColumn { table, column, aad, .. } = encrypted;
    let template = AadTemplate::parse(aad)?;
    for needed in std::iter::once(column.as_str()).chain(template.columns()) {
        if !names.contains(needed) {
            let [column, table, needed] = [column, table, needed].map(Quoted);
            let problem =
                format!("has the encrypted column {column} of {table}, a table without a column {needed}");
            return Err(Error::Manifest { problem });
        }
    }
    Ok(())
}

fn verify_json<R: Read + Seek>(archive: &mut ArchiveReader<R>, index: usize) -> Result<()> {
    let json = archive.read_small(index)?;
    let entry = archive.entries()[index].name.clone();
    let parsed = serde_json::from_slice::<IgnoredAny>(&json);
    parsed.map(drop).map_err(|source| Error::Json { entry, source })
}

fn verify_canary<R: Read + Seek>(archive: &mut ArchiveReader<R>, index: usize) -> Result<()> {
    let text = archive.read_small(index)?;
    let digits = text.strip_suffix(b"\n").unwrap_or_default();
    if digits.len() == 64 && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(Error::Canary)
}
