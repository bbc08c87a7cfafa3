//! Rolls back an applied restore.
//!
//! The staged rows are the contents of the restored tables right after the restore. So any difference from them is a later
//! change; if there is none, the added rows are deleted and the old ones come back. After a merge, which left all other rows
//! unchanged, only the rows that it added are compared.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use super::compare::{self, count};
use super::difference::{differs, live as live_name, same_key, staged};
use super::live::{self, Live};
use super::markers::{Marked, Marker, run};
use super::refused::{self, constraint};
use super::search::{self, Inner};
use super::undo::Undo;
use super::{SqliteTarget, applied, dangling, lock, markers, stage_file, swap, triggers};
use crate::error::{Error, Result};
use crate::load::{Mode, RolledBack, TableChanges};

/// Rolls back the restore and discards it.
pub(super) async fn roll_back(
    target: &mut SqliteTarget,
    restore: &str,
    discard_changes: bool,
    limit: Duration,
) -> Result<RolledBack> {
    let source = target.options.read.source.clone();
    let tables = begin(target, restore, discard_changes, limit).await?;
    let committed = lock::commit(&mut target.connection, &source, limit).await;
    target.detach().await;
    committed?;
    stage_file::discard(&stage_file::path(&target.path, &stage_file::digits(restore)), &source)?;
    Ok(RolledBack { tables })
}

/// Tries the rollback and undoes it.
pub(super) async fn check(
    target: &mut SqliteTarget,
    restore: &str,
    discard_changes: bool,
    limit: Duration,
) -> Result<()> {
    begin(target, restore, discard_changes, limit).await?;
    lock::roll_back(&mut target.connection).await;
    target.detach().await;
    Ok(())
}

/// Does the rollback in a transaction that the caller ends. A failure is undone.
async fn begin(
    target: &mut SqliteTarget,
    restore: &str,
    discard_changes: bool,
    limit: Duration,
) -> Result<Vec<(String, TableChanges)>> {
    let source = target.options.read.source.clone();
    let gone = || Error::NotApplied { name: source.clone(), restore: restore.to_owned() };
    let digits = stage_file::digits(restore);
    let file = stage_file::path(&target.path, &digits);
    let marker = applied::find(&mut target.connection, &source, restore).await?.ok_or_else(gone)?;
    if marker.mode != Mode::IntoEmpty {
        if !file.exists() {
            return Err(gone());
        }
        target.attach(&file).await?;
    }
    let work = Work { source: &source, digits: &digits, marker: &marker, discard_changes };
    let done = match lock::begin(&mut target.connection, &source, limit).await {
        Ok(()) => work.run(target, restore).await,
        Err(error) => Err(error),
    };
    if done.is_err() {
        lock::roll_back(&mut target.connection).await;
        target.detach().await;
    }
    done
}

struct Work<'a> {
    source: &'a str,
    digits: &'a str,
    marker: &'a Marker,
    discard_changes: bool,
}

impl Work<'_> {
    async fn run(&self, target: &mut SqliteTarget, restore: &str) -> Result<Vec<(String, TableChanges)>> {
        let source = self.source;
        let failed = |error| Error::database(source, "rolling a restore back", &error);
        let connection = &mut target.connection;
        applied::check_order(connection, source, self.marker).await?;
        let live = live::read(connection, &target.options.read).await.map_err(failed)?;
        applied::check_columns(source, self.marker, &live)?;
        let names: Vec<&str> = self.marker.tables.iter().map(|table| table.live.as_str()).collect();
        let near = dangling::near(&live, &self.marker.tables, self.marker.mode, false);
        dangling::note(connection, &live, self.digits, &near).await.map_err(failed)?;
        let dropped = triggers::drop_all(connection, &names).await.map_err(failed)?;
        let mut changes = Vec::new();
        for (at, table) in self.marker.tables.iter().enumerate() {
            let is_index = live.table(&table.live).is_some_and(|live| live.inner == Inner::Index);
            let changed = if is_index {
                TableChanges::default()
            } else if self.marker.mode == Mode::IntoEmpty {
                self.empty(connection, &live, table).await?
            } else {
                self.table(connection, at, table).await?
            };
            if table.is_restored {
                changes.push((table.name.clone(), changed));
            }
        }
        let tables = &self.marker.tables;
        let near: Vec<_> = near.iter().collect();
        let refusals = dangling::refusals(connection, &live, self.digits, &near, tables).await;
        refused::unless_none(source, refusals.map_err(failed)?)?;
        search::rebuild(connection, &live, &self.marker.tables).await.map_err(failed)?;
        dropped.put_back(connection).await.map_err(failed)?;
        markers::remove(connection, restore, self.digits).await.map_err(failed)?;
        Ok(changes)
    }

    async fn empty(
        &self,
        connection: &mut SqliteConnection,
        live: &Live,
        table: &Marked,
    ) -> Result<TableChanges> {
        let failed = |error| constraint(self.source, &table.name, &error);
        if live.table(&table.live).is_some_and(|live| live.inner == Inner::Options) {
            return Ok(TableChanges::default());
        }
        let name = live_name(table);
        if !self.discard_changes {
            return Err(Error::NothingKept { name: self.source.to_owned(), table: table.name.clone() });
        }
        let deleted = run(connection, format!("DELETE FROM {name} WHERE true")).await.map_err(failed)?;
        Ok(TableChanges { deleted, ..TableChanges::default() })
    }

    fn changed_since(&self, table: &Marked, rows: u64) -> Error {
        Error::ChangedSince { name: self.source.to_owned(), table: table.name.clone(), rows }
    }

    async fn table(
        &self,
        connection: &mut SqliteConnection,
        at: usize,
        table: &Marked,
    ) -> Result<TableChanges> {
        let failed = |error| constraint(self.source, &table.name, &error);
        let undo = Undo::of(self.digits, at);
        let changed = self.changes(connection, at, table, &undo).await.map_err(failed)?;
        if changed > 0 && !self.discard_changes {
            return Err(self.changed_since(table, changed));
        }
        if changed > 0 {
            self.make_as_restored(connection, at, table, &undo).await.map_err(failed)?;
        }
        self.undo(connection, table, &undo).await.map_err(failed)
    }

    /// Number of rows that differ from what the restore left.
    async fn changes(
        &self,
        connection: &mut SqliteConnection,
        at: usize,
        table: &Marked,
        undo: &Undo,
    ) -> sqlx::Result<u64> {
        if !table.is_restored {
            return undo.taken(connection, table).await;
        }
        if self.marker.mode == Mode::Merge {
            let (live, staged) = (live_name(table), staged(at));
            let keys = undo.same_made_staged(table);
            let (same, differs) = (same_key(table, "l", "s"), differs(table, "l", "s"));
            let sql = format!(
                "SELECT count(*) FROM {} AS m CROSS JOIN {staged} AS s ON {keys} LEFT JOIN {live} AS l ON {same}
                 WHERE {} OR {differs}",
                undo.made,
                undo.no_live(table)
            );
            return count(connection, sql).await;
        }
        let rows = count(connection, format!("SELECT count(*) FROM {}", staged(at))).await?;
        let changes = compare::counts(connection, table, at, rows, self.marker.mode).await?;
        Ok(changes.created + changes.changed + changes.deleted)
    }

    async fn make_as_restored(
        &self,
        connection: &mut SqliteConnection,
        at: usize,
        table: &Marked,
        undo: &Undo,
    ) -> sqlx::Result<()> {
        if !table.is_restored && !table.key.is_empty() {
            return undo.remove_kept(connection, table).await.map(drop);
        }
        if !table.is_restored || self.marker.mode == Mode::Merge {
            return Ok(());
        }
        // This table is removed along with the restore's own tables, because its name has the same prefix.
        let again = format!("{}_again", self.digits);
        Undo::of(&again, at).create(connection, table).await?;
        swap::one(connection, &again, at, table, Mode::Replace).await.map(drop)
    }

    async fn undo(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
        undo: &Undo,
    ) -> sqlx::Result<TableChanges> {
        let changed = undo.changed(connection, table).await?;
        let removed = if table.key.is_empty() {
            undo.remove_alike(connection, table).await?
        } else {
            undo.remove_made(connection, table).await?
        };
        let kept = count(connection, format!("SELECT count(*) FROM {}", live_name(table))).await?;
        let back = undo.put_back(connection, table).await?;
        Ok(TableChanges {
            created: back.saturating_sub(changed),
            changed,
            deleted: removed.saturating_sub(changed),
            kept,
            ..TableChanges::default()
        })
    }
}
