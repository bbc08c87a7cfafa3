//! Checking a whole archive without any service: every byte, every digest, every row.

use std::io::{Read, Seek};

use jiff::Timestamp;
use serde::de::IgnoredAny;

use crate::error::{Error, Result};
use crate::manifest::EntryKind;
use crate::reader::ArchiveReader;
use crate::value::check_value;

/// How many bytes go by between two calls of the progress function.
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
}

/// Reads every entry to its end and stops at the first problem, which names the entry.
///
/// Digests and lengths are compared with the manifest, rows counted and matched with their schema, each
/// value looked at for the forms of its engine. Memory is one row. `progress` gets the bytes verified so
/// far; the sum of [`crate::EntryRecord::bytes`] is the whole.
pub fn verify<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report> {
    let mut tables = Vec::new();
    let mut bytes = 0;
    for index in 0..archive.entries().len() {
        let record = &archive.entries()[index];
        let (kind, table) = (record.kind, record.table.clone().unwrap_or_default());
        match kind {
            EntryKind::Table => {
                let mut within = |read: u64| progress(bytes + read);
                tables.push((table.clone(), verify_table(archive, &table, &mut within)?));
            }
            EntryKind::Schema => {
                archive.read_schema(&table)?;
            }
            EntryKind::Ring => verify_ring(archive, index)?,
            EntryKind::File | EntryKind::Other => {
                archive.entry_at(index)?.finish()?;
            }
        }
        bytes += archive.entries()[index].bytes;
        progress(bytes);
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
    })
}

fn verify_table<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    table: &str,
    progress: &mut dyn FnMut(u64),
) -> Result<u64> {
    let schema = archive.read_schema(table)?;
    let expected = archive.rows_of(table);
    let mut rows = archive.rows(&schema)?;
    let (mut found, mut shown) = (0, 0);
    while let Some(values) = rows.next_row()? {
        let mut values = values.into_iter();
        let checked = values.try_for_each(|value| check_value(schema.engine, value));
        checked.map_err(|error| rows.malformed(&format!("holds no such row: {error}")))?;
        found += 1;
        if rows.bytes() - shown >= PROGRESS_STEP {
            shown = rows.bytes();
            progress(shown);
        }
    }
    if found != expected {
        return Err(Error::Count { table: table.to_owned(), expected, found });
    }
    Ok(found)
}

fn verify_ring<R: Read + Seek>(archive: &mut ArchiveReader<R>, index: usize) -> Result<()> {
    let json = archive.read_small(index)?;
    let entry = archive.entries()[index].name.clone();
    let parsed = serde_json::from_slice::<IgnoredAny>(&json);
    parsed.map(drop).map_err(|source| Error::Json { entry, source })
}
