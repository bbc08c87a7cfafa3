//! Inspects the target before a restore: pairs of tables, and reasons against the restore.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Engine, TableSchema};

use super::live::{self, Live, LiveTable};
use super::pair::Pair;
use super::search::Inner;
use super::{computed, create, fingerprint, markers, room, stage_file};
use crate::error::{Error, Result};
use crate::load::{Inspection, Mode, Pause, Refusal, Wanted, WantedTable};
use crate::migrations;
use crate::names::quoted;
use crate::options::SnapshotOptions;

/// The findings.
pub(super) struct Looked {
    pub(super) inspection: Inspection,
    pub(super) live: Live,
    /// One pair for each wanted table, in their order. For tables that would be created, the expected pair.
    pub(super) pairs: Vec<Pair>,
}

/// Inspects the target. The caller has begun a transaction.
pub(super) async fn look(
    connection: &mut SqliteConnection,
    path: &Path,
    options: &SnapshotOptions,
    wanted: &Wanted,
) -> Result<Looked> {
    let failed = |error| Error::database(&options.source, "looking at the target", &error);
    let live = live::read(connection, options).await.map_err(failed)?;
    let mut refusals = rights(path);
    let others = markers::read(connection).await.map_err(failed)?;
    let staged = others.into_iter().find(|marker| !marker.is_applied);
    refusals.extend(staged.map(|marker| Refusal::OtherRestore { id: marker.id }));
    refusals.extend(newer(connection, options, wanted, &live).await?);
    refusals.extend(journal(wanted, &live));
    let (mut pairs, mut creates) = (Vec::new(), Vec::new());
    for (at, table) in wanted.tables.iter().enumerate() {
        if let Some(found) = live.table(&table.schema.table) {
            let (pair, misfits) = Pair::new(at, &table.schema, found);
            refusals.extend(misfits);
            refusals.extend(against(wanted, table, found, &pair));
            refusals.extend(emptiness(connection, wanted, &pair).await.map_err(failed)?);
            refusals.extend(computed::refusal(connection, &pair).await.map_err(failed)?);
            pairs.push(pair);
        } else {
            if wanted.create_tables && wanted.mode == Mode::IntoEmpty {
                creates.push(table.schema.name.clone());
            } else {
                refusals.push(Refusal::TableMissing { table: table.schema.name.clone() });
            }
            pairs.push(create::expected(at, &table.schema));
        }
    }
    refusals.extend(pairs.iter().filter(|pair| pair.columns.is_empty()).map(|pair| Refusal::Unsupported {
        table: pair.name.clone(),
        problem: "the archive has none of its columns".to_owned(),
    }));
    refusals.extend(statements(wanted, &creates));
    let needed_bytes = room::needed(connection, wanted, &live, &pairs).await.map_err(failed)?;
    refusals.extend(room::refusal(path, needed_bytes));
    let inspection = Inspection {
        place: stage_file::place_of(path),
        engine: live.engine.clone(),
        fingerprint: fingerprint::of(connection, &live, wanted).await.map_err(failed)?,
        refusals,
        warnings: warnings(wanted, &live, &pairs, &creates),
        creates,
        pause: pause(&live),
        needed_bytes,
    };
    Ok(Looked { inspection, live, pairs })
}

/// Files that cannot be written to. The directory must be writable, because SQLite and we create files there.
fn rights(path: &Path) -> Vec<Refusal> {
    let folder = stage_file::folder(path);
    let places =
        [(path, "write to the database file"), (folder.as_path(), "write to the folder of the database")];
    let is_closed = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err();
    let closed = places.into_iter().filter(|(path, _)| is_closed(path));
    let refusal = |(_, what): (&Path, &str)| Refusal::Right {
        role: "this service's user".to_owned(),
        what: what.to_owned(),
        grant: "give it the right, or run it as the application's user".to_owned(),
    };
    closed.map(refusal).collect()
}

/// The archive's migrations that the target lacks. A migrations table without rows proves nothing.
async fn newer(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    wanted: &Wanted,
    live: &Live,
) -> Result<Option<Refusal>> {
    let Some(archived) = &wanted.record.migrations else { return Ok(None) };
    let tables: Vec<TableSchema> = live.tables.iter().map(|table| table.schema.clone()).collect();
    let Some((table, column)) = migrations::find(options, &tables)? else { return Ok(None) };
    let sql = migrations::statement(&format!("main.{}", quoted(&table.table)), column);
    let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(|error| Error::database(&options.source, "reading the migrations", &error))?;
    let known: std::collections::HashSet<&String> = ids.iter().collect();
    let newer: Vec<String> = archived.ids.iter().filter(|id| !known.contains(id)).take(10).cloned().collect();
    let is_newer = !newer.is_empty() && !ids.is_empty();
    Ok(is_newer.then(|| Refusal::NewerMigrations { ids: newer.join(", ") }))
}

/// A database without tables has no readers that could wait.
fn journal(wanted: &Wanted, live: &Live) -> Option<Refusal> {
    let waits = live.journal_mode != "wal" && !live.tables.is_empty();
    (waits && !wanted.accept_pause).then(|| Refusal::JournalMode { mode: live.journal_mode.clone() })
}

fn pause(live: &Live) -> Pause {
    let readers = live.journal_mode != "wal" && !live.tables.is_empty();
    let remedy = if readers { "PRAGMA journal_mode=WAL" } else { "" };
    Pause { readers, remedy: remedy.to_owned() }
}

/// Reasons against restoring an existing table.
fn against(wanted: &Wanted, table: &WantedTable, live: &LiveTable, pair: &Pair) -> Vec<Refusal> {
    let name = || table.schema.name.clone();
    let mut refusals = Vec::new();
    if let Inner::Other(module) = &live.inner {
        let problem = format!("only {module} can interpret its content; leave the table out");
        refusals.push(Refusal::Virtual { table: name(), problem });
    }
    if table.schema.engine == Engine::Postgres && table.schema.namespace != "public" {
        let problem = format!("it is in the schema {}, and SQLite has no schemas", table.schema.namespace);
        refusals.push(Refusal::Unsupported { table: name(), problem });
    }
    if let Some(collation) = &live.unknown_collation {
        let problem =
            format!("one of its indexes uses the collation {collation}, which only the application defines");
        refusals.push(Refusal::Unsupported { table: name(), problem });
    }
    if pair.is_derived {
        return refusals;
    }
    match wanted.mode {
        Mode::Replace if table.is_partial => refusals.push(Refusal::Partial { table: name() }),
        Mode::Merge if pair.key.is_none() => refusals.push(Refusal::NoKey { table: name() }),
        _ => {}
    }
    if pair.key.is_none() && wanted.mode != Mode::IntoEmpty {
        refusals.extend(keyless(pair).map(|problem| Refusal::Unsupported { table: name(), problem }));
    }
    refusals
}

/// The query that compares rows without a key has all of their columns, the side (live or staged) and the
/// rowid.
fn keyless(pair: &Pair) -> Option<String> {
    const MOST: usize = 1990;
    if pair.rowid.is_none() {
        return Some("it has no key, and its columns take all names of the rowid".to_owned());
    }
    (pair.columns.len() > MOST).then(|| format!("it has no key, and more than {MOST} columns"))
}

async fn emptiness(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    pair: &Pair,
) -> sqlx::Result<Option<Refusal>> {
    if wanted.mode != Mode::IntoEmpty || pair.is_never_empty || pair.is_derived {
        return Ok(None);
    }
    let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{})", quoted(&pair.live));
    let has_rows: bool =
        sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await?;
    Ok(has_rows.then(|| Refusal::NotEmpty { table: pair.name.clone() }))
}

/// Statements of the archive that would be run but are not safe to run.
fn statements(wanted: &Wanted, creates: &[String]) -> Option<Refusal> {
    if creates.is_empty() {
        return None;
    }
    let missing: Vec<&WantedTable> =
        wanted.tables.iter().filter(|table| creates.contains(&table.schema.name)).collect();
    let what = create::suspicious(&missing, wanted)?;
    let table = missing.first().map(|table| table.schema.name.clone()).unwrap_or_default();
    let problem =
        format!("the archive's statement for {what} is not a plain definition; create the tables first");
    Some(Refusal::Unsupported { table, problem })
}

fn warnings(wanted: &Wanted, live: &Live, pairs: &[Pair], creates: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    for pair in pairs {
        if !pair.extra.is_empty() {
            warnings.push(format!(
                "table {} has columns that the archive does not have ({}): rows that are added or replaced get their defaults",
                pair.name,
                pair.extra.join(", ")
            ));
        }
        if pair.is_derived {
            warnings.push(format!(
                "table {} is the index of a full-text table: it is rebuilt from the text",
                pair.name
            ));
        }
    }
    for table in wanted.tables.iter().filter(|table| creates.contains(&table.schema.name)) {
        warnings.extend(create::left_out(&table.schema));
    }
    if !creates.is_empty() {
        let is_virtual = |reason: &str| reason.starts_with("virtual table");
        let gone = wanted.record.skipped.iter().filter(|skipped| is_virtual(&skipped.reason));
        let gone = gone.filter(|skipped| live.virtual_tables.iter().all(|table| table.name != skipped.name));
        warnings.extend(gone.map(|skipped| {
            format!("the virtual table {} is not in the archive, and is not created", skipped.name)
        }));
    }
    warnings
}
