//! Rolls back an applied restore, from the rows that it deleted and the keys that it added.
//!
//! If the live rows differ from the stage, they have been changed since, and only the caller can decide to discard those
//! changes. If they are discarded, rows that the restore left unchanged come back from the stage too. Rows that were
//! loaded into empty tables have no stage: changes to them cannot be detected, and rolling them back empties the
//! tables.

mod outside;
mod rows;

use std::time::Duration;

use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::{Column, Engine, TableSchema};

use super::difference::{self, Difference};
use super::locks::{Limits, Locked, Work, hold};
use super::pair::{Place, TablePair, pairs};
use super::references;
use super::registry::{self, Applied, AppliedTable, Noted};
use super::session::begin;
use super::statements::{Failure, Session, literal};
use super::{keys, quiet, replica, violations};
use crate::error::{Error, Result};
use crate::load::{Mode, Purpose, RolledBack, TableChanges, TargetOptions, Wanted, WantedTable};
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;
use rows::Way;

/// Rolls back the restore and discards it.
pub(super) async fn roll_back(
    connection: &mut PgConnection,
    options: &TargetOptions,
    restore: &str,
    discard_changes: bool,
    lock: Duration,
) -> Result<RolledBack> {
    attempt(connection, options, restore, discard_changes, lock, true).await
}

/// Does the same, but rolls back that transaction.
pub(super) async fn check(
    connection: &mut PgConnection,
    options: &TargetOptions,
    restore: &str,
    discard_changes: bool,
    lock: Duration,
) -> Result<()> {
    attempt(connection, options, restore, discard_changes, lock, false).await.map(drop)
}

async fn attempt(
    connection: &mut PgConnection,
    options: &TargetOptions,
    restore: &str,
    discard_changes: bool,
    lock: Duration,
    lasts: bool,
) -> Result<RolledBack> {
    let source = options.read.source.clone();
    let applied = find(&registry::list(connection, &source).await?, &source, restore)?;
    let undo = Undo::of(connection, options, restore, applied, discard_changes).await?;
    begin(connection, &source, options.lock).await?;
    let mut session = Session::new(connection, &source);
    let tables = undo.tables(&mut session).await;
    session.roll_back().await;
    let tables = tables.map_err(|failure| failure.of(&source))?;
    let back = Back { undo: &undo, locked: &tables, lasts };
    let (rolled_back, _) =
        hold(connection, &source, &tables, Limits { restore, lock, pause: None }, &back).await?;
    Ok(rolled_back)
}

/// The part of a rollback that runs under the locks.
struct Back<'a> {
    undo: &'a Undo<'a>,
    locked: &'a [Locked],
    lasts: bool,
}

impl Work for Back<'_> {
    type Done = RolledBack;

    async fn run(&self, session: &mut Session<'_>) -> Result<RolledBack, Failure> {
        // Another process may have rolled it back during the wait.
        find(&registry::list_in(session).await?, session.source, self.undo.restore)?;
        let done = self.undo.write(session, self.locked).await;
        done.map_err(|failure| violations::meant(failure, &self.undo.pairs, session.source))
    }

    fn lasts(&self) -> bool {
        self.lasts
    }
}

/// The restore's record, or an error if a newer restore of the same tables is in the way.
fn find(noted: &[Noted], source: &str, restore: &str) -> Result<Applied> {
    let own = noted.iter().find(|noted| noted.id == restore && !noted.is_staged());
    let Some(own) = own else {
        return Err(Error::NotApplied { name: source.to_owned(), restore: restore.to_owned() });
    };
    let applied = registry::parse(own, source)?;
    // Newest first, because that is the restore to roll back first.
    for newer in noted.iter().rev().filter(|noted| noted.applied > own.applied) {
        if registry::parse(newer, source)?.shares_a_table(&applied) {
            return Err(Error::Superseded { name: source.to_owned(), newer: newer.id.clone() });
        }
    }
    Ok(applied)
}

impl Applied {
    fn shares_a_table(&self, other: &Self) -> bool {
        let other: Vec<_> = other.table_names().collect();
        self.table_names().any(|name| other.contains(&name))
    }

    fn table_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.tables.iter().map(|one| (&*one.namespace, &*one.table));
        own.chain(self.outside.iter().map(|one| (&*one.namespace, &*one.table)))
    }
}

/// The data for rolling back a restore.
struct Undo<'a> {
    source: &'a str,
    restore: &'a str,
    applied: Applied,
    /// One pair for each of the applied tables.
    pairs: Vec<TablePair>,
    discard_changes: bool,
}

impl<'a> Undo<'a> {
    async fn of(
        connection: &mut PgConnection,
        options: &'a TargetOptions,
        restore: &'a str,
        applied: Applied,
        discard_changes: bool,
    ) -> Result<Self> {
        let source = &options.read.source;
        begin(connection, source, options.lock).await?;
        let place = Place::of(&Purpose::Restore(restore.to_owned()));
        let found = pairs(connection, options, &wanted(source, &applied), &place).await;
        Session::new(connection, source).roll_back().await;
        let mut pairs = Vec::with_capacity(applied.tables.len());
        for (table, pair) in applied.tables.iter().zip(found?) {
            let Some(pair) = pair else {
                return Err(Error::missing(source, format!("table {:?} any more", table.name)));
            };
            // The key when the rows were recorded, whatever keys the table has now.
            let (key, stage) = (table.key.clone(), table.stage.clone());
            pairs.push(TablePair {
                key,
                stage,
                undo: table.undo.clone(),
                added: table.added.clone(),
                ..pair
            });
        }
        Ok(Self { source, restore, applied, pairs, discard_changes })
    }

    /// The tables to lock.
    async fn tables(&self, session: &mut Session<'_>) -> Result<Vec<Locked>, Failure> {
        let mut tables: Vec<Locked> = self.pairs.iter().map(Locked::of).collect();
        for one in &self.applied.outside {
            let name = literal(&qualified(&one.namespace, &one.table));
            let sql = format!("SELECT coalesce(to_regclass({name})::oid::int8, 0)");
            let (oid,): (Oid,) = session.row("looking for a table", sql).await?;
            if oid == 0 {
                return Err(Error::missing(self.source, format!("table {:?} any more", one.name())).into());
            }
            tables.push(Locked {
                namespace: one.namespace.clone(),
                table: one.table.clone(),
                is_partitioned: one.is_partitioned,
                oid,
            });
        }
        // As in the swap: these tables' foreign keys are dropped.
        if !replica::of(session).await?.is_allowed {
            let oids: Vec<Oid> = tables.iter().map(|one| one.oid).collect();
            let keys = references::list(session, &oids).await?;
            tables.extend(keys.iter().filter(|key| key.from.is_outside()).map(Locked::referencing));
        }
        Ok(tables)
    }

    /// Every step between locking and commit.
    async fn write(&self, session: &mut Session<'_>, locked: &[Locked]) -> Result<RolledBack, Failure> {
        let differences = difference::of(session, &self.pairs).await?;
        self.check_unchanged(session, &differences).await?;
        let replica = replica::of(session).await?;
        if replica.is_allowed {
            replica::take(session).await?;
        }
        let oids = self.changed(locked);
        let keys = references::list(session, &oids).await?;
        let dropped = keys.iter().filter(|key| !key.to.is_outside()).cloned().collect();
        let quiet = quiet::begin(session, replica.is_allowed, &oids, dropped).await?;
        let mut changes = Vec::with_capacity(differences.len());
        for difference in &differences {
            changes.push(self.before(session, difference).await?);
        }
        let each = || self.applied.tables.iter().zip(&differences);
        for ((table, difference), changes) in each().zip(&mut changes) {
            changes.deleted = run(session, difference, self.way().deletes(table, difference)).await?;
        }
        for ((table, difference), changes) in each().zip(&mut changes) {
            let inserts = self.way().inserts(session, table, difference).await?;
            changes.created = run(session, difference, inserts).await?;
        }
        for table in &self.applied.outside {
            outside::bring_back(session, table).await?;
        }
        self.remove_large_objects(session).await?;
        let mut refusals = Vec::new();
        for key in keys.iter().filter(|key| key.is_valid && !key.is_temporal) {
            let rows = violations::count_dangling(session, key).await?;
            if rows > 0 {
                refusals.push(violations::refusal(key, &self.pairs, rows));
            }
        }
        if self.applied.mode == Mode::Replace {
            refusals.extend(keys::afterwards(session, &differences, |pair| &pair.undo).await?);
        }
        if !refusals.is_empty() {
            return Err(Error::Refused { name: self.source.to_owned(), refusals }.into());
        }
        quiet.end(session).await?;
        registry::discard_in(session, self.restore).await?;
        let names = self.applied.tables.iter().map(|table| table.name.clone());
        Ok(RolledBack { tables: names.zip(changes.into_iter().map(told)).collect() })
    }

    /// Tables whose rows change.
    fn changed(&self, locked: &[Locked]) -> Vec<Oid> {
        let is_outside = |one: &&Locked| {
            let names = self.applied.outside.iter().map(|table| (&table.namespace, &table.table));
            names.into_iter().any(|name| name == (&one.namespace, &one.table))
        };
        let own = self.pairs.iter().map(|pair| pair.oid);
        own.chain(locked.iter().filter(is_outside).map(|one| one.oid)).collect()
    }

    fn way(&self) -> Way {
        Way { mode: self.applied.mode, discards_changes: self.discard_changes }
    }

    async fn check_unchanged(
        &self,
        session: &mut Session<'_>,
        differences: &[Difference<'_>],
    ) -> Result<(), Failure> {
        if self.discard_changes {
            return Ok(());
        }
        let name = || self.source.to_owned();
        for difference in differences {
            let table = difference.pair.archive.name.clone();
            let Some(sql) = self.way().changed_since(difference) else {
                return Err(Error::NothingKept { name: name(), table }.into());
            };
            let rows = session.count(&format!("comparing table {table}"), sql).await?;
            if rows > 0 {
                return Err(Error::ChangedSince { name: name(), table, rows }.into());
            }
        }
        Ok(())
    }

    /// Counts the rows that only change, and the existing rows.
    async fn before(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
    ) -> Result<TableChanges, Failure> {
        let what = format!("comparing table {}", difference.pair.archive.name);
        let there = session.count(&what, format!("SELECT count(*) FROM {}", difference.live)).await?;
        let mut changes = TableChanges { kept: there, ..TableChanges::default() };
        if self.applied.mode == Mode::Replace && difference.has_key() {
            let (undo, added) = (&difference.pair.undo, &difference.pair.added);
            let same = difference.same_key("u", "a");
            let sql = format!("SELECT count(*) FROM {undo} AS u JOIN {added} AS a ON {same}");
            changes.changed = session.count(&what, sql).await?;
        }
        Ok(changes)
    }

    async fn remove_large_objects(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        for oid in &self.applied.large_objects {
            let sql = format!("SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = {oid}");
            session.run("removing a large object", sql).await?;
        }
        Ok(())
    }
}

async fn run(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    statements: Vec<String>,
) -> Result<u64, Failure> {
    let what = format!("rolling back table {}", difference.pair.archive.name);
    let mut rows = 0;
    for sql in statements {
        rows += session.run(&what, sql).await?;
    }
    Ok(rows)
}

/// A row that was deleted and inserted under one key counts as changed.
fn told(counted: TableChanges) -> TableChanges {
    TableChanges {
        created: counted.created.saturating_sub(counted.changed),
        deleted: counted.deleted.saturating_sub(counted.changed),
        kept: counted.kept.saturating_sub(counted.deleted),
        ..counted
    }
}

/// The restored tables as a [`Wanted`], so that they are found as for the restore.
fn wanted(source: &str, applied: &Applied) -> Wanted {
    let table = |table: &AppliedTable| {
        let columns = table.columns.iter().map(|name| Column { name: name.clone(), ..Column::default() });
        let schema = TableSchema {
            name: table.name.clone(),
            namespace: table.namespace.clone(),
            columns: columns.collect(),
            ..TableSchema::empty(source, Engine::Postgres, &table.table)
        };
        WantedTable { schema, rows: 0, is_partial: false }
    };
    Wanted {
        mode: Mode::Replace,
        tables: applied.tables.iter().map(table).collect(),
        record: SourceRecord::new(source, "postgres", "", Snapshot::RepeatableRead),
        views: None,
        large_objects: Vec::new(),
        create_tables: false,
        accept_cascade: false,
        accept_pause: false,
    }
}
