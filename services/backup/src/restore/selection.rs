//! What of an archive goes into which source.

use strongroom_archive::manifest::{EntryRecord, SourceRecord};
use strongroom_archive::{EntryKind, Manifest};
use strongroom_tables::load::{Wanted, WantedTable};

use super::record::Request;
use crate::error::{Error, Result};
use crate::incoming::Archive;
use crate::sources::{Source, Sources};

/// What is restored into one source.
pub(super) struct Selected {
    pub(super) wanted: Wanted,
    /// The tables' entries, as places in the manifest's list, in the order of [`Wanted::tables`].
    pub(super) entries: Vec<usize>,
    /// Large objects with their entries.
    pub(super) large_objects: Vec<(u32, usize)>,
}

/// The one database that is restored: what the request names, or all that the archive has.
///
/// # Errors
/// [`Error::Field`] for a source that the archive does not have or that is not configured, and where there is more than one.
pub(super) fn choose<'a>(
    manifest: &'a Manifest,
    sources: &'a Sources,
    names: &[String],
) -> Result<(&'a Source, &'a SourceRecord)> {
    let databases: Vec<&SourceRecord> =
        manifest.sources.iter().filter(|source| is_database(source)).collect();
    let known = || databases.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
    for (at, name) in names.iter().enumerate() {
        if !databases.iter().any(|source| source.name == *name) {
            let problem = format!("the archive has no database {name:?}; it has: {}", known());
            return Err(Error::element("sources", at, problem));
        }
    }
    let wanted = |source: &&&SourceRecord| names.is_empty() || names.contains(&source.name);
    let chosen: Vec<&SourceRecord> = databases.iter().filter(wanted).copied().collect();
    let [record] = chosen.as_slice() else {
        let problem = match chosen.len() {
            0 => "the archive has no database of a configured source".to_owned(),
            _ => format!("one database is restored at a time; the archive has: {}", known()),
        };
        return Err(Error::field("sources", problem));
    };
    let configured = sources.all().iter().find(|source| source.name() == record.name);
    let source = configured.filter(|source| source.database().is_some()).ok_or_else(|| {
        let name = &record.name;
        Error::field("sources", format!("{name:?} is no database of this server's configuration"))
    })?;
    Ok((source, record))
}

fn is_database(source: &SourceRecord) -> bool {
    matches!(source.kind.as_str(), "sqlite" | "postgres")
}

/// Reads what has to be known of the chosen tables.
///
/// # Errors
/// [`Error::Field`] for a table that the archive does not have, and those of reading its entries.
pub(super) fn select(archive: &mut Archive, record: &SourceRecord, request: &Request) -> Result<Selected> {
    let entries = archive.entries().to_vec();
    check_tables(&entries, record, &request.tables)?;
    let mut selected = Selected {
        wanted: Wanted {
            mode: request.mode.into(),
            tables: Vec::new(),
            record: record.clone(),
            views: archive.database(&record.name)?,
            large_objects: Vec::new(),
            create_tables: request.create_tables,
            accept_cascade: request.accept_cascade,
            accept_pause: request.accept_pause,
        },
        entries: Vec::new(),
        large_objects: Vec::new(),
    };
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| is_of(entry, record)) {
        match (entry.kind, &entry.table) {
            (EntryKind::Table, Some(table)) if is_chosen(request, table) => {
                let schema = archive.read_schema(table)?;
                let (rows, is_partial) = (entry.rows.unwrap_or(0), entry.since.is_some());
                selected.wanted.tables.push(WantedTable { schema, rows, is_partial });
                selected.entries.push(index);
            }
            (EntryKind::LargeObject, _) if request.tables.is_empty() => {
                let oid = entry.name.rsplit('/').next().and_then(|oid| oid.parse().ok());
                let oid = oid.ok_or_else(|| Error::Defect("a large object has no number".into()))?;
                selected.wanted.large_objects.push(oid);
                selected.large_objects.push((oid, index));
            }
            _ => {}
        }
    }
    if !request.tables.is_empty() {
        keep_own_sequences(&mut selected.wanted);
    }
    Ok(selected)
}

fn is_of(entry: &EntryRecord, record: &SourceRecord) -> bool {
    entry.source.as_ref() == Some(&record.name)
}

fn is_chosen(request: &Request, table: &str) -> bool {
    request.tables.is_empty() || request.tables.iter().any(|name| name == table)
}

fn check_tables(entries: &[EntryRecord], record: &SourceRecord, tables: &[String]) -> Result<()> {
    let has = |name: &String| {
        entries.iter().any(|entry| {
            entry.kind == EntryKind::Table && is_of(entry, record) && entry.table.as_ref() == Some(name)
        })
    };
    match tables.iter().position(|name| !has(name)) {
        Some(at) => {
            let (name, source) = (&tables[at], &record.name);
            let problem = format!("the archive has no table {name:?} of source {source}");
            Err(Error::element("tables", at, problem))
        }
        None => Ok(()),
    }
}

/// Of chosen tables only the sequences that belong to them are raised.
fn keep_own_sequences(wanted: &mut Wanted) {
    let Wanted { tables, record, .. } = wanted;
    record.sequences.retain(|sequence| {
        tables.iter().any(|table| match &sequence.owner {
            Some(owner) => owner.namespace == table.schema.namespace && owner.table == table.schema.table,
            None => sequence.namespace.is_empty() && sequence.name == table.schema.table,
        })
    });
}
