//! Straight into empty tables, in one transaction: locks, rows, then everything that is faster to build than to keep up.
//!
//! Indexes and the foreign keys among the tables are dropped and made again by their own definitions, which also checks
//! them. An index stays where something else hangs on it. Foreign keys to and from other tables stay too, because to
//! drop one would keep readers out of a table that is not restored; the server checks them row by row. Triggers that
//! an INSERT would fire are disabled by name and get their state back.

mod empty;
mod rebuild;
mod triggers;

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

use super::create::Created;
use super::pair::TablePair;
use super::registry::{self, Applied, AppliedTable};
use super::session::{close, commit, run};
use super::statements::Session;
use super::{PostgresStage, copy, create, problem, sequences};
use crate::error::{Error, Result};
use crate::load::{Comparison, Purpose, SwapLimits, Swapped, TableChanges};
use crate::postgres::types::Oid;
use rebuild::Rebuild;

/// What has to be put back once the rows are there.
pub(super) struct Direct {
    began: Instant,
    created: Created,
    rebuild: Rebuild,
    /// Statements that give triggers their state back.
    triggers: Vec<String>,
}

/// Takes the locks and makes the tables ready for rows.
///
/// # Errors
/// [`Error::Locked`], [`Error::Refused`] for a table that is not empty, and the server's.
pub(super) async fn open(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TablePair],
    created: Created,
    lock: Duration,
) -> Result<Direct> {
    empty::lock(connection, source, tables, lock).await?;
    let began = Instant::now();
    empty::check(connection, source, tables).await?;
    let rebuild = Rebuild::prepare(connection, source, tables).await?;
    let triggers = triggers::disable(connection, source, &relations(tables)).await?;
    Ok(Direct { began, created, rebuild, triggers })
}

/// The tables by their oids. The statements of this module find their partitions.
fn relations(tables: &[TablePair]) -> Vec<Oid> {
    tables.iter().map(|pair| pair.oid).collect()
}

/// Rows of a statement's `members`: the tables in $1, and their partitions at all levels.
const MEMBERS: &str = "WITH RECURSIVE members (oid, root) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY ($1::int8[]::oid[])
    UNION ALL
    SELECT h.inhrelid, m.root FROM members m JOIN pg_inherits h ON h.inhparent = m.oid
    JOIN pg_class c ON c.oid = h.inhrelid WHERE c.relispartition
)";

impl PostgresStage {
    /// All rows are new ones.
    pub(super) fn compare_direct(&self) -> Comparison {
        Comparison { tables: self.created_rows(), ..Comparison::default() }
    }

    fn created_rows(&self) -> Vec<TableChanges> {
        let changes = |created: &u64| TableChanges { created: *created, ..TableChanges::default() };
        self.loaded.iter().map(changes).collect()
    }

    /// Puts everything back, notes the restore and commits.
    pub(super) async fn finish_direct(mut self, direct: Direct, limits: &SwapLimits) -> Result<Swapped> {
        let done = self.rebuild(&direct, limits).await;
        let tables = self.created_rows();
        close(self.connection, &self.options.read.source).await;
        done.map(|()| Swapped { tables, paused: direct.began.elapsed() })
    }

    async fn rebuild(&mut self, direct: &Direct, limits: &SwapLimits) -> Result<()> {
        let source = self.options.read.source.clone();
        let connection = &mut self.connection;
        limit(connection, &source, direct, limits).await?;
        // What is deferred would keep its table from being altered.
        let checked = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE").execute(&mut *connection).await;
        checked.map_err(|error| problem::of_any(&source, &self.tables, "checking the rows", &error))?;
        direct.rebuild.run(connection, &source, &self.tables).await?;
        create::complete(connection, &source, &direct.created, &self.wanted, &self.tables).await?;
        let enable = direct.triggers.join(";\n");
        run(connection, &source, "putting back the states of triggers", enable).await?;
        let oids = relations(&self.tables);
        let mut session = Session::new(connection, &source);
        let raised = sequences::raise(&mut session, &oids, &self.wanted.record).await;
        raised.map_err(|failure| failure.of(&source))?;
        self.note().await?;
        commit(&mut self.connection, &source).await
    }

    async fn note(&mut self) -> Result<()> {
        let Purpose::Restore(id) = &self.purpose else { return Ok(()) };
        let table = |(pair, rows): (&TablePair, &u64)| AppliedTable {
            name: pair.archive.name.clone(),
            namespace: pair.live.namespace.clone(),
            table: pair.live.table.clone(),
            key: pair.key.clone(),
            columns: copy::columns(pair),
            is_changed: *rows > 0,
            ..AppliedTable::default()
        };
        let applied = Applied {
            tables: self.tables.iter().zip(&self.loaded).map(table).collect(),
            large_objects: self.large_objects.clone(),
            ..Applied::new(self.wanted.mode)
        };
        let source = &self.options.read.source;
        let mut session = Session::new(&mut self.connection, source);
        registry::applied(&mut session, id, self.since, &applied).await.map_err(|failure| failure.of(source))
    }
}

/// The server ends what would take longer than was agreed.
async fn limit(
    connection: &mut PgConnection,
    source: &str,
    direct: &Direct,
    limits: &SwapLimits,
) -> Result<()> {
    let Some(pause) = limits.pause else { return Ok(()) };
    let limit_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    let left = pause.saturating_sub(direct.began.elapsed()).as_millis();
    if left == 0 {
        return Err(Error::PauseTooLong { name: source.to_owned(), limit_ms });
    }
    let sql = format!("SET LOCAL statement_timeout = {}", left.min(i32::MAX as u128));
    run(connection, source, "limiting the pause", sql).await
}
