//! Loads straight into empty tables, in one transaction: locks, rows, then everything that is faster to build than to
//! maintain.
//!
//! Indexes and the foreign keys among the tables are dropped and recreated from their own definitions, which also checks
//! them. An index stays if something else depends on it. Foreign keys to and from other tables stay too, because dropping one
//! would block readers of a table that is not restored; the server checks these keys row by row. Triggers that an INSERT
//! would fire are disabled by name and get their state back.

mod empty;
mod rebuild;
mod triggers;

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

use super::create::Created;
use super::pair::TablePair;
use super::registry::{self, Applied, AppliedTable};
use super::session::{close, commit};
use super::statements::{Failure, Session};
use super::{PostgresStage, copy, create, problem, sequences};
use crate::error::Result;
use crate::load::{Comparison, Purpose, SwapLimits, Swapped, TableChanges, Wanted};
use crate::postgres::types::Oid;
use rebuild::Rebuild;

/// Objects to restore after the rows are loaded.
pub(super) struct Direct {
    began: Instant,
    created: Created,
    rebuild: Rebuild,
    /// Statements that restore the triggers' states.
    triggers: Vec<String>,
}

/// Takes the locks and prepares the tables for rows.
///
/// # Errors
/// [`crate::Error::Locked`], [`crate::Error::Refused`] for a table that is not empty, or a server error.
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

/// The oids of the tables. The statements in this module find their partitions.
fn relations(tables: &[TablePair]) -> Vec<Oid> {
    tables.iter().map(|pair| pair.oid).collect()
}

impl PostgresStage {
    /// All rows count as created.
    pub(super) fn compare_direct(&self) -> Comparison {
        Comparison { tables: self.created_rows(), ..Comparison::default() }
    }

    fn created_rows(&self) -> Vec<TableChanges> {
        let changes = |created: &u64| TableChanges { created: *created, ..TableChanges::default() };
        self.loaded.iter().map(changes).collect()
    }

    /// Restores the dropped and disabled objects, records the restore and commits.
    pub(super) async fn finish_direct(mut self, direct: Direct, limits: &SwapLimits) -> Result<Swapped> {
        let done = self.rebuild(&direct, limits).await;
        let tables = self.created_rows();
        close(self.connection, &self.options.read.source).await;
        done.map(|()| Swapped { tables, paused: direct.began.elapsed() })
    }

    async fn rebuild(&mut self, direct: &Direct, limits: &SwapLimits) -> Result<()> {
        let (note, since) = (self.note(), self.since);
        let source = &self.options.read.source;
        let mut session = Session::new(&mut self.connection, source);
        session.limit_pause(limits.pause, direct.began);
        let done = complete(&mut session, direct, &self.wanted, &self.tables).await;
        let done = match (done, &note) {
            (Ok(()), Some((id, applied))) => registry::applied(&mut session, id, since, applied).await,
            (done, _) => done,
        };
        done.map_err(|failure| failure.of(source))?;
        commit(&mut self.connection, source).await
    }

    /// `None` for a trial.
    fn note(&self) -> Option<(String, Applied)> {
        let Purpose::Restore(id) = &self.purpose else { return None };
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
        Some((id.clone(), applied))
    }
}

/// Every step between loading the rows and setting the marker.
async fn complete(
    session: &mut Session<'_>,
    direct: &Direct,
    wanted: &Wanted,
    tables: &[TablePair],
) -> Result<(), Failure> {
    const CHECKING: &str = "checking the rows";
    // A table with pending deferred checks cannot be altered.
    let checked = session.run(CHECKING, "SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await;
    checked.map_err(|failure| problem::meant_of_any(session.source, tables, failure))?;
    direct.rebuild.run(session, tables).await?;
    create::complete(session, &direct.created, wanted, tables).await?;
    session.run_each("restoring the triggers' states", direct.triggers.clone()).await?;
    sequences::raise(session, &relations(tables), &wanted.record).await
}
