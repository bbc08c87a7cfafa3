//! Consistency checks of a manifest. Writer and reader both apply them, so no manifest is written that would
//! be refused.

use std::collections::{HashMap, HashSet};

use super::aad::AadTemplate;
use super::{
    CANARY_ENTRY, EncryptedColumn, EntryKind, EntryRecord, MANIFEST_ENTRY, MOST_ENTRIES, MOST_KIDS,
    MOST_SOURCES, Manifest, RING_ENTRY, SCHEDULES_ENTRY, SIGNATURE_ENTRY,
};
use crate::error::{Error, Result};
use crate::quote::Quoted;

/// FORMAT.md §7.2. Each encrypted column is looked up in each table.
pub(super) const MOST_COLUMNS: usize = 1000;
/// Maximum bytes of the table, the column and the key of an encrypted column, which are repeated for each of
/// its values; also of the deployment's id and of the audit head's texts, which the plan of a restore stores
/// and shows.
const MOST_NAME: usize = 1024;
/// Maximum bytes of a value's additional data.
const MOST_AAD: usize = 1024;

/// Names are unique; every table has exactly one rows entry and one schema entry under the same file name,
/// and its row count equals that of the entry.
pub(super) fn check(manifest: &Manifest) -> Result<()> {
    check_lists(manifest)?;
    check_names(manifest)?;
    if !is_digest(&manifest.zip_sha256) {
        return Err(refused("gives no zip_sha256 of 64 lower-case hex digits".to_owned()));
    }
    let mut names = HashSet::new();
    let mut rows = HashMap::new();
    let mut schemas = HashMap::new();
    let mut files = HashSet::new();
    for entry in &manifest.entries {
        if !names.insert(entry.name.as_str()) {
            return Err(refused(format!("lists {} twice", Quoted(&entry.name))));
        }
        check_entry(entry)?;
        check_file(entry)?;
        if entry.file_path_bytes().is_some_and(|file| !files.insert(file)) {
            return Err(refused(format!(
                "lists {} and another entry for the same file",
                Quoted(&entry.name)
            )));
        }
        let by_table = match entry.kind {
            EntryKind::Table => &mut rows,
            EntryKind::Schema => &mut schemas,
            _ => continue,
        };
        let Some(table) = entry.table.as_deref() else {
            return Err(refused(format!("does not say which table {} belongs to", Quoted(&entry.name))));
        };
        if by_table.insert(table, entry).is_some() {
            return Err(refused(format!(
                "lists {} and another entry for the same table",
                Quoted(&entry.name)
            )));
        }
    }
    check_tables(manifest, &rows, &schemas)?;
    check_columns(&manifest.encrypted_columns, &rows)
}

fn check_names(manifest: &Manifest) -> Result<()> {
    let (chain, mac) = manifest.audit_head.as_ref().map_or(("", ""), |head| (&head.chain, &head.mac));
    let deployment = manifest.deployment_id.as_deref().unwrap_or_default();
    let names = [("deployment_id", deployment), ("audit_head.chain", chain), ("audit_head.mac", mac)];
    match names.iter().find(|(_, text)| text.len() > MOST_NAME) {
        Some((name, _)) => Err(refused(format!("has a {name} of more than {MOST_NAME} bytes"))),
        None => Ok(()),
    }
}

/// A reader enforces each list's limit as it reads, so a writer must not exceed it.
fn check_lists(manifest: &Manifest) -> Result<()> {
    let partial = manifest.partial.as_ref().map_or(0, |partial| partial.tables.len());
    let mut lists = vec![
        ("kids", manifest.kids.len(), MOST_KIDS),
        ("sources", manifest.sources.len(), MOST_SOURCES),
        ("entries", manifest.entries.len(), MOST_ENTRIES),
        ("partial.tables", partial, MOST_ENTRIES),
    ];
    for source in &manifest.sources {
        let ids = source.migrations.as_ref().map_or(0, |migrations| migrations.ids.len());
        lists.push(("skipped", source.skipped.len(), MOST_ENTRIES));
        lists.push(("extensions", source.extensions.len(), MOST_ENTRIES));
        lists.push(("sequences", source.sequences.len(), MOST_ENTRIES));
        lists.push(("migrations.ids", ids, MOST_ENTRIES));
    }
    match lists.into_iter().find(|(_, length, most)| length > most) {
        Some((list, length, most)) => {
            Err(refused(format!("has {length} elements in {list}; at most {most} are allowed")))
        }
        None => Ok(()),
    }
}

fn check_entry(entry: &EntryRecord) -> Result<()> {
    let name = entry.name.as_str();
    let shown = Quoted(name);
    let in_place = match entry.kind {
        EntryKind::Table => file_of(name, "tables/").is_some(),
        EntryKind::Schema => file_of(name, "schema/").is_some(),
        EntryKind::Database => file_of(name, "databases/").is_some(),
        EntryKind::Ring => name == RING_ENTRY,
        EntryKind::File => name.starts_with("files/"),
        EntryKind::LargeObject => name.starts_with("large-objects/"),
        EntryKind::Canary => name == CANARY_ENTRY,
        EntryKind::Schedules => name == SCHEDULES_ENTRY,
        EntryKind::Other => name != MANIFEST_ENTRY && name != SIGNATURE_ENTRY,
    };
    if !in_place {
        return Err(refused(format!(
            "lists {shown} as a kind of entry that does not belong under this name"
        )));
    }
    if !is_digest(&entry.sha256) {
        return Err(refused(format!("gives no SHA-256 of 64 lower-case hex digits for {shown}")));
    }
    let of_table = matches!(entry.kind, EntryKind::Table | EntryKind::Schema | EntryKind::Other);
    let has_table = entry.own_table.is_some() || entry.namespace.is_some();
    let has_rows = entry.rows.is_some() || entry.since.is_some();
    if has_table && !of_table || has_rows && !matches!(entry.kind, EntryKind::Table | EntryKind::Other) {
        return Err(refused(format!("gives fields that only tables have to {shown}, which holds no rows")));
    }
    if matches!(entry.kind, EntryKind::Database | EntryKind::LargeObject) && entry.source.is_none() {
        return Err(refused(format!("does not say which source {shown} belongs to")));
    }
    Ok(())
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file's destination and permissions must not be given for anything else.
fn check_file(entry: &EntryRecord) -> Result<()> {
    let shown = Quoted(&entry.name);
    let has_more = entry.path.is_some() || entry.mode.is_some() || entry.modified_at.is_some();
    if has_more && entry.file_path_bytes().is_none() {
        return Err(refused(format!(
            "gives a path, a mode or a time for {shown}, which is not a file of a set"
        )));
    }
    let is_mode = |mode: &String| mode.len() == 4 && mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    if !entry.mode.as_ref().is_none_or(is_mode) {
        return Err(refused(format!("gives {shown} a mode that is not four octal digits")));
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
            let table = Quoted(table);
            return Err(refused(format!("counts the table {table} but lists no rows of it")));
        };
        let Some(schema) = schemas.get(table) else {
            return Err(Error::NoSchema { table: table.to_owned() });
        };
        if file_of(&entry.name, "tables/") != file_of(&schema.name, "schema/") {
            let names = format!("{} and {}", Quoted(&entry.name), Quoted(&schema.name));
            return Err(refused(format!("names one table's entries differently: {names}")));
        }
        if entry.rows != Some(count) {
            let table = Quoted(table);
            return Err(refused(format!("gives two different row counts for the table {table}")));
        }
    }
    let counted: HashSet<&str> = manifest.tables.iter().map(|(table, _)| table).collect();
    for (table, entry) in rows.iter().chain(schemas) {
        if !counted.contains(table) {
            return Err(refused(format!("lists {} but does not count its table", Quoted(&entry.name))));
        }
    }
    Ok(())
}

/// Whether the table has the column can only be checked once its schema is read.
fn check_columns(columns: &[EncryptedColumn], rows: &HashMap<&str, &EntryRecord>) -> Result<()> {
    if columns.len() > MOST_COLUMNS {
        return Err(refused(format!("has more than {MOST_COLUMNS} encrypted columns")));
    }
    let mut known = HashSet::new();
    for column in columns {
        let EncryptedColumn { table, column: name, .. } = column;
        let shown = format!("the encrypted column {} of {}", Quoted(name), Quoted(table));
        if !rows.contains_key(table.as_str()) {
            return Err(refused(format!("has {shown}, a table that it does not list")));
        }
        if !known.insert((table, name)) {
            return Err(refused(format!("lists {shown} twice")));
        }
        check_column(column).map_err(|problem| refused(format!("has {shown}{problem}")))?;
    }
    Ok(())
}

/// The error text follows the column's name.
fn check_column(encrypted: &EncryptedColumn) -> std::result::Result<(), String> {
    let EncryptedColumn { table, column, key, aad } = encrypted;
    if key.is_empty() {
        return Err(" and does not say which key sealed it".to_owned());
    }
    if [table, column, key].iter().any(|name| name.len() > MOST_NAME) {
        return Err(format!(" with a name or key of more than {MOST_NAME} bytes"));
    }
    let template = AadTemplate::parse(aad).map_err(|error| format!(": {error}"))?;
    if template.least_bytes(table, column) > MOST_AAD {
        return Err(format!(", whose additional data always exceeds the limit of {MOST_AAD} bytes"));
    }
    Ok(())
}

fn file_of<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    name.strip_prefix(folder)?.strip_suffix(".json")
}

fn refused(problem: String) -> Error {
    Error::Manifest { problem }
}
