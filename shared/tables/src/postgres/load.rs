//! PostgreSQL: rows are staged in our own schema and applied as a row difference under EXCLUSIVE locks, which readers do not
//! notice; or copied straight into empty tables. Neither needs a superuser.
//!
//! Rename and TRUNCATE are not used on tables that may have readers: an older snapshot would see an empty table.

mod cascade;
mod compare;
mod copy;
mod create;
mod difference;
mod direct;
mod encode;
mod fingerprint;
mod inspect;
mod keys;
mod large;
mod locks;
mod pair;
mod place;
mod problem;
mod quiet;
mod references;
mod registry;
mod replica;
mod sequences;
pub(super) mod session;
mod staging;
mod statements;
mod swap;
mod undo;
mod violations;

use std::time::Duration;

use bytes::Bytes;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use super::session::connect;
use crate::error::{Error, Result};
use crate::load::{
    Chunk, Comparison, Encoder, Inspection, Purpose, RestoreState, RolledBack, SwapLimits, Swapped,
    TargetOptions, Wanted,
};
use direct::Direct;
use encode::TextRows;
use pair::{Place, TablePair};
pub(crate) use place::place_of;
pub(super) use statements::literal;
use swap::Swap;

/// A session with a database into which rows are restored.
pub(crate) struct PostgresTarget {
    connection: PgConnection,
    options: TargetOptions,
}

/// Tables in our schema that are being filled; or, for empty tables, the transaction that fills them.
pub(crate) struct PostgresStage {
    connection: PgConnection,
    options: TargetOptions,
    purpose: Purpose,
    wanted: Wanted,
    /// The plan's fingerprint; the swap inspects again.
    fingerprint: String,
    /// One pair for each of `wanted.tables`, in that order.
    tables: Vec<TablePair>,
    /// Number of rows loaded into each table.
    loaded: Vec<u64>,
    /// Whether the database accepts arbitrary bytes as text.
    raw_text: bool,
    /// Set if rows go straight into empty tables.
    direct: Option<Direct>,
    /// Whether the stage is committed.
    is_kept: bool,
    /// When the restore was registered.
    since: i64,
    /// Large objects that have arrived.
    large_objects: Vec<u32>,
}

impl PostgresTarget {
    pub(crate) async fn open(
        url: &DatabaseUrl,
        connect_to: &PgConnectOptions,
        options: TargetOptions,
    ) -> Result<Self> {
        let connection = connect(url, connect_to, &options.read.source).await?;
        Ok(Self { connection, options })
    }

    pub(crate) async fn inspect(&mut self, wanted: &Wanted) -> Result<Inspection> {
        inspect::inspect(&mut self.connection, &self.options, wanted).await
    }

    pub(crate) async fn stage(
        mut self,
        wanted: &Wanted,
        fingerprint: &str,
        purpose: &Purpose,
    ) -> Result<PostgresStage> {
        let found = inspect::inspect(&mut self.connection, &self.options, wanted).await?;
        inspect::check(&found, &self.options.read.source, fingerprint)?;
        self.begin(wanted, fingerprint, purpose).await
    }

    pub(crate) async fn state_of(&mut self, restore: &str) -> Result<Option<RestoreState>> {
        registry::state_of(&mut self.connection, &self.options.read.source, restore).await
    }

    pub(crate) async fn roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<RolledBack> {
        undo::roll_back(&mut self.connection, &self.options, restore, discard_changes, lock).await
    }

    pub(crate) async fn check_roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<()> {
        undo::check(&mut self.connection, &self.options, restore, discard_changes, lock).await
    }

    pub(crate) async fn end_sessions(&mut self, restore: &str) -> Result<()> {
        registry::end_sessions(&mut self.connection, &self.options.read.source, restore).await
    }

    pub(crate) async fn discard(&mut self, restore: &str, only: RestoreState) -> Result<bool> {
        registry::discard(&mut self.connection, &self.options.read.source, restore, only).await
    }

    pub(crate) async fn close(self) {
        session::close(self.connection, &self.options.read.source).await;
    }
}

impl PostgresStage {
    pub(crate) fn encoder(&self, table: usize) -> Encoder {
        Encoder::new(Box::new(TextRows::new(self.tables.get(table), self.raw_text)))
    }

    pub(crate) async fn load(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        self.load_rows(table, chunks).await
    }

    pub(crate) async fn load_large_object(&mut self, oid: u32, pieces: mpsc::Receiver<Bytes>) -> Result<u64> {
        self.load_object(oid, pieces).await
    }

    pub(crate) async fn compare(&mut self) -> Result<Comparison> {
        if self.direct.is_some() {
            return Ok(self.compare_direct());
        }
        let (connection, source) = (&mut self.connection, &self.options.read.source);
        if self.is_kept {
            session::begin(connection, source, self.options.lock).await?;
        }
        let tables = (self.tables.as_slice(), &Place::of(&self.purpose));
        let compared = compare::compare(connection, source, &self.wanted, tables).await;
        if self.is_kept {
            session::roll_back(connection, source).await?;
        }
        compared
    }

    pub(crate) async fn keep(&mut self) -> Result<()> {
        if self.direct.is_some() {
            return Ok(());
        }
        session::commit(&mut self.connection, &self.options.read.source).await?;
        self.is_kept = true;
        Ok(())
    }

    pub(crate) async fn swap(mut self, limits: &SwapLimits) -> Result<Swapped> {
        if let Some(direct) = self.direct.take() {
            return self.finish_direct(direct, limits).await;
        }
        // The first failed attempt would discard anything uncommitted.
        if !self.is_kept {
            self.keep().await?;
        }
        let swapped = self.exchange(limits).await;
        self.close().await;
        swapped
    }

    async fn exchange(&mut self, limits: &SwapLimits) -> Result<Swapped> {
        let Purpose::Restore(id) = &self.purpose else {
            return Err(Error::missing(
                &self.options.read.source,
                "stage that may be applied: this one is a trial",
            ));
        };
        let swap = Swap {
            options: &self.options,
            wanted: &self.wanted,
            fingerprint: &self.fingerprint,
            pairs: &self.tables,
            id,
            place: &Place::of(&self.purpose),
            since: self.since,
        };
        swap.apply(&mut self.connection, limits).await
    }

    pub(crate) async fn close(self) {
        session::close(self.connection, &self.options.read.source).await;
    }
}
