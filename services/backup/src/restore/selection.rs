//! Selects the contents of an archive for each source.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::sync::Arc;

use strongroom_archive::manifest::{EntryRecord, Sequence, SourceRecord};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{EntryKind, Manifest};
use strongroom_tables::load::{Wanted, WantedTable};

use super::record::Request;
use super::rows::ChosenRows;
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Archive;
use crate::sources::{Source, Sources, WantedFile, WantedFiles};

/// The kind of the vault source.
const VAULT: &str = "vault";

/// Maximum size of the descriptions of all tables together, in bytes: ten thousand tables of 3 KB.
const MOST_SCHEMAS: u64 = 32 << 20;

/// The contents for one source.
pub(super) struct Selected {
    /// The source's record in the archive; the configured source has the same name.
    pub(super) record: SourceRecord,
    pub(super) contents: Contents,
    /// Entries of the contents' tables or files, in order, as indexes into the manifest's list.
    pub(super) entries: Vec<usize>,
    /// For each table, the chosen rows, if any were chosen; empty for files.
    pub(super) rows: Vec<Option<ChosenRows>>,
}

/// By kind of source.
pub(super) enum Contents {
    Database {
        wanted: Box<Wanted>,
        /// Large objects with their entries.
        large_objects: Vec<(u32, usize)>,
    },
    Service(Vec<WantedTable>),
    Files(Arc<WantedFiles>),
}

impl Selected {
    pub(super) fn source(&self) -> &str {
        &self.record.name
    }

    /// Number of rows of all tables.
    pub(super) fn rows(&self) -> u64 {
        self.tables().map(|table| table.rows).sum()
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &WantedTable> {
        let tables: &[WantedTable] = match &self.contents {
            Contents::Database { wanted, .. } => &wanted.tables,
            Contents::Service(tables) => tables,
            Contents::Files(_) => &[],
        };
        tables.iter()
    }

    /// Sources that may refuse a swap come first, while the others are unchanged; renames hardly ever fail.
    pub(super) fn swap_order(&self) -> u8 {
        match &self.contents {
            Contents::Database { .. } => 0,
            Contents::Service(_) => 1,
            Contents::Files(_) => 2,
        }
    }
}

/// The sources to restore, in archive order, and the names of the archive's other sources. `has_empty_vault`: the vault
/// has no data that a restore could affect.
///
/// # Errors
/// [`Error::Field`] for a source that the archive does not have, that has no contents, or that is not configured, and
/// if none is left.
pub(super) fn choose(
    manifest: &Manifest,
    sources: &Sources,
    request: &Request,
    has_empty_vault: bool,
) -> Result<(Vec<SourceRecord>, Vec<String>)> {
    let known = || manifest.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
    for (at, name) in request.sources.iter().enumerate() {
        let Some(record) = manifest.sources.iter().find(|source| source.name == *name) else {
            let problem = format!("the archive has no source {name:?}; it has: {}", known());
            return Err(Error::element("sources", at, problem));
        };
        if !holds_something(manifest, record) {
            let problem = format!(
                "the archive holds nothing of source {name:?}: its optional group was not included, or it was empty"
            );
            return Err(Error::element("sources", at, problem));
        }
    }
    check_sources(manifest, request)?;
    let is_chosen = |record: &&SourceRecord| {
        is_chosen_source(manifest, request, record)
            && (!is_vault(record) || has_empty_vault || is_named(manifest, request, record))
    };
    let (chosen, others): (Vec<_>, Vec<_>) = manifest.sources.iter().partition(is_chosen);
    if let (true, Some(name)) = (chosen.is_empty(), request.tables.first()) {
        return Err(Error::element("tables", 0, no_table(name, &known())));
    }
    if chosen.is_empty() {
        let of_vault = if manifest.sources.iter().any(is_vault) {
            "; this vault has credentials, so it is restored only if it is named: --sources vault, with \
             --mode merge or --mode replace"
        } else {
            ""
        };
        let problem =
            format!("the archive has nothing that can be restored; its sources are: {}{of_vault}", known());
        return Err(Error::field("sources", problem));
    }
    for record in &chosen {
        check_configured(sources, record)?;
    }
    let chosen = chosen.into_iter().cloned().collect();
    let others = others.into_iter().filter(|record| holds_something(manifest, record));
    Ok((chosen, others.map(|source| source.name.clone()).collect()))
}

/// If tables are chosen, naming a source without any of them is a mistake. A file set may be named in addition.
fn check_sources(manifest: &Manifest, request: &Request) -> Result<()> {
    for (at, name) in request.sources.iter().enumerate().filter(|_| !request.tables.is_empty()) {
        let record = manifest.sources.iter().find(|source| source.name == *name);
        if record.is_some_and(|record| record.kind != "files" && !has_chosen(manifest, request, record)) {
            let problem = format!(
                "none of the chosen tables belongs to source {name:?}; leave it out, or name its tables"
            );
            return Err(Error::element("sources", at, problem));
        }
    }
    Ok(())
}

fn has_chosen(manifest: &Manifest, request: &Request, record: &SourceRecord) -> bool {
    manifest.entries.iter().any(|entry| {
        is_of(entry, record) && entry.table.as_ref().is_some_and(|table| request.tables.contains(table))
    })
}

fn is_chosen_source(manifest: &Manifest, request: &Request, record: &SourceRecord) -> bool {
    if request.sources.contains(&record.name) {
        return true;
    }
    if !request.sources.is_empty() {
        return false;
    }
    if request.tables.is_empty() {
        holds_something(manifest, record)
    } else {
        has_chosen(manifest, request, record)
    }
}

/// Whether the record is the vault's.
pub(super) fn is_vault(record: &SourceRecord) -> bool {
    record.kind == VAULT
}

/// Whether the request names the source, or one of its tables. A vault with credentials is restored only if it is
/// named.
fn is_named(manifest: &Manifest, request: &Request, record: &SourceRecord) -> bool {
    request.sources.contains(&record.name) || has_chosen(manifest, request, record)
}

/// A set whose group was not included is in the manifest too, without files: it must not be emptied.
fn holds_something(manifest: &Manifest, record: &SourceRecord) -> bool {
    is_database(record) || manifest.entries.iter().any(|entry| is_of(entry, record))
}

fn is_database(source: &SourceRecord) -> bool {
    matches!(source.kind.as_str(), "sqlite" | "postgres")
}

/// The kinds must match, except that a database of either engine accepts data of the other one, as far as its types
/// allow.
fn check_configured(sources: &Sources, record: &SourceRecord) -> Result<()> {
    let SourceRecord { name, kind, .. } = record;
    let configured = sources.all().iter().find(|source| source.name() == name);
    let problem = match configured {
        Some(Source::Sql(_)) if is_database(record) => return Ok(()),
        Some(source) if source.kind() == kind => return Ok(()),
        Some(source) => {
            let found = source.kind();
            format!(
                "{name:?} is of kind {kind} in the archive, and of kind {found} in this server's configuration"
            )
        }
        None => format!(
            "{name:?} is not a source of this server's configuration, which has: {}; configure it, or leave it out (--sources)",
            sources.all().iter().map(Source::name).collect::<Vec<_>>().join(", ")
        ),
    };
    Err(Error::field("sources", problem))
}

/// Reads the descriptions of the chosen tables and files of every source in `records`, in a blocking thread.
///
/// # Errors
/// [`Error::Field`] for a table that they do not have, [`RestoreError::SchemasTooLarge`], and errors of reading the
/// archive.
pub(super) async fn selected(
    mut archive: Archive,
    records: Vec<SourceRecord>,
    request: &Request,
) -> Result<Vec<Selected>> {
    let request = request.clone();
    tokio::task::spawn_blocking(move || {
        let entries = archive.entries().to_vec();
        check_tables(&entries, &records, &request.tables)?;
        check_schemas(&entries, &records)?;
        let one = |record| select_one(&mut archive, &entries, record, &request);
        records.into_iter().map(one).collect()
    })
    .await?
}

/// All descriptions are in memory at once.
fn check_schemas(entries: &[EntryRecord], records: &[SourceRecord]) -> Result<()> {
    let is_chosen = |entry: &&EntryRecord| {
        matches!(entry.kind, EntryKind::Schema | EntryKind::Database)
            && records.iter().any(|record| is_of(entry, record))
    };
    let bytes: u64 = entries.iter().filter(is_chosen).map(|entry| entry.bytes).sum();
    if bytes > MOST_SCHEMAS {
        return Err(RestoreError::SchemasTooLarge { bytes, most: MOST_SCHEMAS }.into());
    }
    Ok(())
}

fn select_one(
    archive: &mut Archive,
    entries: &[EntryRecord],
    record: SourceRecord,
    request: &Request,
) -> Result<Selected> {
    match record.kind.as_str() {
        "sqlite" | "postgres" => database(archive, entries, record, request),
        "files" => files(entries, record, request),
        _ => {
            let (tables, entries, rows) = tables(archive, entries, &record, request)?;
            Ok(Selected { record, contents: Contents::Service(tables), entries, rows })
        }
    }
}

fn database(
    archive: &mut Archive,
    entries: &[EntryRecord],
    record: SourceRecord,
    request: &Request,
) -> Result<Selected> {
    let (tables, places, rows) = tables(archive, entries, &record, request)?;
    let mut wanted = Wanted {
        mode: request.mode.into(),
        tables,
        record: record.clone(),
        views: archive.database(&record.name)?,
        large_objects: Vec::new(),
        create_tables: request.create_tables,
        accept_cascade: request.accept_cascade,
        accept_pause: request.accept_pause,
    };
    let mut large_objects = Vec::new();
    if request.tables.is_empty() {
        let of_source = entries.iter().enumerate().filter(|(_, entry)| is_of(entry, &record));
        for (index, entry) in of_source.filter(|(_, entry)| entry.kind == EntryKind::LargeObject) {
            let oid = entry.name.rsplit('/').next().and_then(|oid| oid.parse().ok());
            let oid = oid.ok_or_else(|| Error::Defect("a large object has no number".into()))?;
            wanted.large_objects.push(oid);
            large_objects.push((oid, index));
        }
    } else {
        keep_own_sequences(&mut wanted);
    }
    let contents = Contents::Database { wanted: Box::new(wanted), large_objects };
    Ok(Selected { record, contents, entries: places, rows })
}

type Tables = (Vec<WantedTable>, Vec<usize>, Vec<Option<ChosenRows>>);

fn tables(
    archive: &mut Archive,
    entries: &[EntryRecord],
    record: &SourceRecord,
    request: &Request,
) -> Result<Tables> {
    let (mut tables, mut places, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| is_of(entry, record)) {
        let Some(table) = entry.table.as_ref().filter(|_| entry.kind == EntryKind::Table) else { continue };
        if request.tables.is_empty() || request.tables.contains(table) {
            let schema = archive.read_schema(table)?;
            let keys = request.rows.get(table);
            let some = keys.map(|keys| ChosenRows::of(&schema, keys)).transpose()?;
            let rows = some.as_ref().map_or(entry.rows.unwrap_or(0), ChosenRows::count);
            let is_partial = entry.since.is_some() || some.is_some();
            tables.push(WantedTable { schema, rows, is_partial });
            places.push(index);
            chosen.push(some);
        }
    }
    Ok((tables, places, chosen))
}

fn files(entries: &[EntryRecord], record: SourceRecord, request: &Request) -> Result<Selected> {
    let (mut files, mut places) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        if let Some((_, file)) = WantedFile::of(entry).filter(|(set, _)| *set == record.name) {
            files.push(file);
            places.push(index);
        }
    }
    let contents =
        Contents::Files(Arc::new(WantedFiles { mode: request.mode.into(), files, is_partial: false }));
    Ok(Selected { record, contents, entries: places, rows: Vec::new() })
}

fn is_of(entry: &EntryRecord, record: &SourceRecord) -> bool {
    match entry.kind {
        EntryKind::File => entry.file_path().is_some_and(|(set, _)| set == record.name),
        _ => entry.source.as_ref() == Some(&record.name),
    }
}

fn check_tables(entries: &[EntryRecord], records: &[SourceRecord], tables: &[String]) -> Result<()> {
    let has = |name: &String| {
        entries.iter().any(|entry| {
            entry.kind == EntryKind::Table
                && entry.table.as_ref() == Some(name)
                && records.iter().any(|record| is_of(entry, record))
        })
    };
    match tables.iter().position(|name| !has(name)) {
        Some(at) => {
            let sources: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
            let (name, sources) = (&tables[at], sources.join(", "));
            Err(Error::element("tables", at, no_table(name, &sources)))
        }
        None => Ok(()),
    }
}

fn no_table(name: &str, sources: &str) -> String {
    format!(
        "the archive has no table {name:?} of source {sources}; letter case matters, and a plan without \
         --tables shows all of them"
    )
}

/// If tables are chosen, only sequences that belong to them, or that provide numbers for their columns, are raised.
fn keep_own_sequences(wanted: &mut Wanted) {
    let Wanted { tables, record, .. } = wanted;
    record.sequences.retain(|sequence| tables.iter().any(|table| is_of_table(sequence, &table.schema)));
}

fn is_of_table(sequence: &Sequence, table: &TableSchema) -> bool {
    match &sequence.owner {
        Some(owner) => owner.namespace == table.namespace && owner.table == table.table,
        // In SQLite, a table's sequence has the table's name; in PostgreSQL, a default can use any sequence.
        None if sequence.namespace.is_empty() => sequence.name == table.table,
        None => {
            let unquoted = |text: &str| text.replace('"', "");
            let named = unquoted(&format!("'{}.{}'::regclass", sequence.namespace, sequence.name));
            let mut defaults = table.columns.iter().filter_map(|column| column.default.as_deref());
            defaults.any(|default| unquoted(default).contains(&named))
        }
    }
}
