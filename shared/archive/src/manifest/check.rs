//! Whether a manifest agrees with itself. Writer and reader both ask, so nothing is written that would
//! be refused.

use std::collections::{HashMap, HashSet};

use super::aad::AadTemplate;
use super::{EncryptedColumn, EntryKind, EntryRecord, MANIFEST_ENTRY, Manifest, RING_ENTRY, SIGNATURE_ENTRY};
use crate::error::{Error, Result};

/// Names are unique; every table has exactly one entry of rows and one schema under the same file name,
/// and its count is that of the entry.
pub(super) fn check(manifest: &Manifest) -> Result<()> {
    let mut names = HashSet::new();
    let mut rows = HashMap::new();
    let mut schemas = HashMap::new();
    for entry in &manifest.entries {
        if !names.insert(entry.name.as_str()) {
            return Err(refused(format!("lists {:?} twice", entry.name)));
        }
        check_entry(entry)?;
        let by_table = match entry.kind {
            EntryKind::Table => &mut rows,
            EntryKind::Schema => &mut schemas,
            EntryKind::Ring | EntryKind::File | EntryKind::Other => continue,
        };
        let Some(table) = entry.table.as_deref() else {
            return Err(refused(format!("does not say which table {:?} belongs to", entry.name)));
        };
        if by_table.insert(table, entry).is_some() {
            return Err(refused(format!("has {:?} beside another entry of its table", entry.name)));
        }
    }
    check_tables(manifest, &rows, &schemas)?;
    check_columns(&manifest.encrypted_columns, &rows)
}

fn check_entry(entry: &EntryRecord) -> Result<()> {
    let name = entry.name.as_str();
    let in_place = match entry.kind {
        EntryKind::Table => file_of(name, "tables/").is_some(),
        EntryKind::Schema => file_of(name, "schema/").is_some(),
        EntryKind::Ring => name == RING_ENTRY,
        EntryKind::File => name.starts_with("files/"),
        EntryKind::Other => name != MANIFEST_ENTRY && name != SIGNATURE_ENTRY,
    };
    if !in_place {
        return Err(refused(format!("lists {name:?} as a kind of entry that does not belong there")));
    }
    let hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if entry.sha256.len() != 64 || !entry.sha256.bytes().all(hex) {
        return Err(refused(format!("gives no SHA-256 of 64 lower-case hex digits for {name:?}")));
    }
    Ok(())
}

fn check_tables(
    manifest: &Manifest,
    rows: &HashMap<&str, &EntryRecord>,
    schemas: &HashMap<&str, &EntryRecord>,
) -> Result<()> {
    for (table, count) in manifest.tables.iter() {
        let Some(entry) = rows.get(table) else {
            return Err(refused(format!("counts the table {table:?} but lists no rows of it")));
        };
        let Some(schema) = schemas.get(table) else {
            return Err(Error::NoSchema { table: table.to_owned() });
        };
        if file_of(&entry.name, "tables/") != file_of(&schema.name, "schema/") {
            let names = format!("{:?} and {:?}", entry.name, schema.name);
            return Err(refused(format!("names one table's entries differently: {names}")));
        }
        if entry.rows != Some(count) {
            return Err(refused(format!("gives two different row counts for the table {table:?}")));
        }
    }
    let counted: HashSet<&str> = manifest.tables.iter().map(|(table, _)| table).collect();
    for (table, entry) in rows.iter().chain(schemas) {
        if !counted.contains(table) {
            return Err(refused(format!("lists {:?} but does not count its table", entry.name)));
        }
    }
    Ok(())
}

/// Whether the table has the column is known once its schema is read.
/// FORMAT.md §7.2. Each is looked for in each table.
const MOST_COLUMNS: usize = 1000;

fn check_columns(columns: &[EncryptedColumn], rows: &HashMap<&str, &EntryRecord>) -> Result<()> {
    if columns.len() > MOST_COLUMNS {
        return Err(refused(format!("has more than {MOST_COLUMNS} encrypted columns")));
    }
    let mut known = HashSet::new();
    for EncryptedColumn { table, column, key, aad } in columns {
        if !rows.contains_key(table.as_str()) {
            return Err(refused(format!(
                "has an encrypted column of {table:?}, a table that it does not list"
            )));
        }
        if !known.insert((table, column)) {
            return Err(refused(format!("lists the encrypted column {column:?} of {table:?} twice")));
        }
        if key.is_empty() {
            return Err(refused(format!("does not say which key sealed {column:?} of {table:?}")));
        }
        AadTemplate::parse(aad)
            .map_err(|error| refused(format!("has the encrypted column {column:?} of {table:?}: {error}")))?;
    }
    Ok(())
}

fn file_of<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    name.strip_prefix(folder)?.strip_suffix(".json")
}

fn refused(problem: String) -> Error {
    Error::Manifest { problem }
}
