//! Applies a stage: one IMMEDIATE transaction, which readers in WAL mode do not notice.

use std::time::Instant;

use sqlx::sqlite::SqliteConnection;

use super::cascade::Followers;
use super::compare;
use super::difference::{
    Side, added, key, list, live as live_name, numbered, removed, rowid, staged, surplus,
};
use super::live::Live;
use super::markers::{Marked, run};
use super::pause::Pause;
use super::references::Reference;
use super::refused::constraint;
use super::undo::Undo;
use super::{
    SqliteStage, beforehand, dangling, lock, markers, references, refused, search, sequences, triggers,
};
use crate::error::{Error, Result};
use crate::load::{Mode, SwapLimits, Swapped, TableChanges};

/// Applies the stage, or changes nothing.
pub(super) async fn swap(stage: &mut SqliteStage, limits: &SwapLimits) -> Result<Swapped> {
    let source = stage.options.read.source.clone();
    lock::begin(&mut stage.connection, &source, limits.lock).await?;
    let pause = Pause { since: Instant::now(), limit: limits.pause };
    stage.connection.end_after(pause.left());
    let applied = apply(stage).await;
    let tables = pause.end(&mut stage.connection, &source, applied, limits.lock).await?;
    Ok(Swapped { tables, paused: pause.since.elapsed() })
}

/// Does everything that [`swap`] does, except the marker and the commit.
pub(super) async fn rehearse(stage: &mut SqliteStage, limits: &SwapLimits) -> Result<()> {
    let source = stage.options.read.source.clone();
    lock::begin(&mut stage.connection, &source, limits.lock).await?;
    let applied = apply_rows(stage).await;
    lock::roll_back(&mut stage.connection).await;
    applied.map(drop)
}

async fn apply(stage: &mut SqliteStage) -> Result<Vec<TableChanges>> {
    let (changes, tables) = apply_rows(stage).await?;
    let since = stage.marked.clone().unwrap_or_default();
    let marked = markers::apply(&mut stage.connection, &stage.restore, &since, &tables).await;
    marked.map_err(|error| Error::database(&stage.options.read.source, "applying a restore", &error))?;
    Ok(changes)
}

/// The changes, and the tables that the marker names.
async fn apply_rows(stage: &mut SqliteStage) -> Result<(Vec<TableChanges>, Vec<Marked>)> {
    let source = stage.options.read.source.clone();
    let failed = |error| Error::database(&source, "applying a restore", &error);
    let live = stage.look_again().await?;
    let restored: Vec<Marked> = stage.pairs.iter().map(Marked::of).collect();
    let found = references::all(&live, &restored);
    let (mode, accepts) = (stage.wanted.mode, stage.wanted.accept_cascade);
    let connection = &mut stage.connection;
    let refusals =
        beforehand::refusals(connection, &found, &restored, mode, accepts).await.map_err(failed)?;
    refused::unless_none(&source, refusals)?;
    let follows = accepts && mode == Mode::Replace;
    let touched = touched(&live, &restored, follows);
    let near = dangling::near(&live, &restored, mode, follows);
    dangling::note(connection, &live, &stage.digits, &near).await.map_err(failed)?;
    let dropped = triggers::drop_all(connection, &touched).await.map_err(failed)?;
    let mut followers = Followers::new(&live, &source, &stage.digits, &restored);
    if follows {
        followers.follow(connection, &found).await?;
    }
    let mut changes = Vec::new();
    for (at, table) in restored.iter().enumerate() {
        let is_derived = stage.pairs[at].is_derived;
        let done = async {
            Undo::of(&stage.digits, at).create(connection, table).await?;
            if is_derived {
                return Ok(TableChanges::default());
            }
            one(connection, &stage.digits, at, table, mode).await
        };
        changes.push(done.await.map_err(|error| constraint(&source, &table.name, &error))?);
    }
    let untold: Vec<&Reference> =
        near.iter().filter(|one| follows || one.shows_afterwards(&restored, mode)).collect();
    let refusals = dangling::refusals(connection, &live, &stage.digits, &untold, &restored).await;
    refused::unless_none(&source, refusals.map_err(failed)?)?;
    search::rebuild(connection, &live, &restored).await.map_err(failed)?;
    sequences::raise(connection, &live, &stage.wanted, &stage.pairs).await.map_err(failed)?;
    dropped.put_back(connection).await.map_err(failed)?;
    Ok((changes, restored.iter().cloned().chain(followers.tables).collect()))
}

/// Tables whose triggers would fire. If foreign keys act on rows of other tables (`follows`), that can be any table,
/// directly or indirectly.
fn touched<'a>(live: &'a Live, restored: &'a [Marked], follows: bool) -> Vec<&'a str> {
    if follows {
        return live.tables.iter().map(|table| table.schema.table.as_str()).collect();
    }
    restored.iter().map(|table| table.live.as_str()).collect()
}

/// Applies one table's difference.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    digits: &str,
    at: usize,
    table: &Marked,
    mode: Mode,
) -> sqlx::Result<TableChanges> {
    let undo = Undo::of(digits, at);
    let mut changes = TableChanges::default();
    let mut gone = 0;
    if mode == Mode::Merge {
        let all = compare::counts(connection, table, at, 0, mode).await?;
        changes.conflicts = all.conflicts;
    } else {
        gone = remove(connection, &undo, at, table).await?;
    }
    let left = compare::count(connection, format!("SELECT count(*) FROM {}", live_name(table))).await?;
    let new = add(connection, &undo, at, table).await?;
    changes.changed = undo.changed(connection, table).await?;
    changes.deleted = gone - changes.changed;
    changes.created = new - changes.changed;
    changes.kept = left - changes.conflicts;
    Ok(changes)
}

/// Moves the live rows that are absent from the stage, or differ from their staged row, into the undo table.
async fn remove(
    connection: &mut SqliteConnection,
    undo: &Undo,
    at: usize,
    table: &Marked,
) -> sqlx::Result<u64> {
    if !table.key.is_empty() {
        let gone = undo.keep(connection, table, "l.", &removed(table, at)).await?;
        undo.remove_kept(connection, table).await?;
        return Ok(gone);
    }
    // Sorting both tables is slow, so it is done only once.
    run(connection, format!("CREATE TEMP TABLE strongroom_gone AS {}", surplus(table, at, Side::Live)))
        .await?;
    let (rowid, live) = (rowid(table), live_name(table));
    let chosen = format!("{rowid} IN (SELECT r FROM temp.strongroom_gone)");
    let gone = undo.keep(connection, table, "l.", &format!("FROM {live} AS l WHERE l.{chosen}")).await?;
    run(connection, format!("DELETE FROM {live} WHERE {chosen}")).await?;
    run(connection, "DROP TABLE temp.strongroom_gone".to_owned()).await?;
    Ok(gone)
}

/// Inserts the rows that the live table lacks, and records them.
async fn add(connection: &mut SqliteConnection, undo: &Undo, at: usize, table: &Marked) -> sqlx::Result<u64> {
    let (count, from) = (table.columns.len(), added(table, at));
    let places: Vec<String> = if table.key.is_empty() {
        (0..count).map(|at| format!("s.c{at}")).collect()
    } else {
        key(table).into_iter().map(|(at, _)| format!("s.c{at}")).collect()
    };
    let made = &undo.made;
    let new = run(connection, format!("INSERT INTO {made} SELECT {} {from}", places.join(", "))).await?;
    let (columns, live) = (list("", &table.columns), live_name(table));
    let rows = if table.key.is_empty() {
        format!("SELECT {} FROM {made}", numbered("k", count))
    } else {
        let same = undo.same_made_staged(table);
        format!("SELECT {} FROM {made} AS m CROSS JOIN {} AS s ON {same}", numbered("s.c", count), staged(at))
    };
    // Without OR ABORT, a table's own conflict clause could replace other rows or ignore a violation.
    run(connection, format!("INSERT OR ABORT INTO {live} ({columns}) {rows}")).await?;
    Ok(new)
}
