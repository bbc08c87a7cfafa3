//! Checking a whole archive without any service: every byte, every digest, every row.
//!
//! Entries are checked one by one, so that whoever wants a verdict on each goes on behind a bad one; [`verify`]
//! stops there. What is between them is checked at the end, as a whole.

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

/// Values that [`verify`] remembers of references.
const MOST_VALUES: usize = 8_000_000;
/// How many bytes go by between two calls of [`Watch::progress`].
const PROGRESS_STEP: u64 = 1 << 20;

/// What a verified archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The manifest's id.
    pub archive_id: String,
    /// The application.
    pub app_name: String,
    /// When the export began.
    pub created_at: Timestamp,
    /// Each table and its rows, counted here, in archive order.
    pub tables: Vec<(String, u64)>,
    /// Files of file sets.
    pub files: u64,
    /// Entries, without the manifest.
    pub entries: u64,
    /// Their uncompressed bytes.
    pub bytes: u64,
    /// What was found of references between tables.
    pub references: ReferenceReport,
}

/// Who looks on while an entry is checked. An error of theirs ends the check, as it is.
pub trait Watch {
    /// A row in column order. What it holds counts only if its entry is right as a whole.
    ///
    /// # Errors
    /// The watcher's.
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> Result<()>;

    /// So many bytes of the entry were read, those of the row in the making among them: told for each MiB.
    ///
    /// # Errors
    /// The watcher's.
    fn progress(&mut self, bytes: u64) -> Result<()>;
}

/// Wants to know how far it is, and what refers to what.
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

/// Reads all of an archive and checks it: digests, lengths, counts, rows matched with their schema, each
/// value looked at for the forms of its engine, references followed from table to table, and at last [`verify_frame`].
/// Memory is one row, and up to 128 MiB for the references. `progress` gets the bytes verified so far; the sum of
/// [`crate::EntryRecord::bytes`] is the whole, and is told again for each MiB of the frame.
///
/// # Errors
/// Whatever is wrong first. [`Error::Dangling`] for a reference to rows that are not there, unless it is SQLite's, which
/// lets applications do that: then the report has it.
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

/// Checks the bytes that are in no entry, which [`verify_entry`] cannot see: reads the file once, up to the manifest,
/// and compares its SHA-256 with the manifest's `zip_sha256`. Whoever checks entry by entry calls this too, after them,
/// because they say more exactly what is wrong. `progress` gets the bytes read so far, for each MiB; an error of its
/// ends the check, as it is.
///
/// # Errors
/// [`Error::Frame`] if the bytes are others.
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

/// Checks the entry at `index` of [`ArchiveReader::entries`] in the same way, and returns how many rows it has: none
/// where it is no table.
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

/// Reads to the end, and tells `progress` of each MiB.
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
            return Err(rows.malformed(&format!("holds no such row: {error}")));
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

/// The description fits the table's entries and its encrypted columns too.
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
