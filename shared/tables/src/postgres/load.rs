//! PostgreSQL: rows are staged in a schema of ours and applied as a row difference under EXCLUSIVE locks, which no reader
//! notices; or copied straight into empty tables. Neither needs a superuser.
//!
//! Rename and TRUNCATE are not used on tables that may have readers: an older snapshot would see an empty table.

mod difference;
mod encode;
mod pair;
mod references;
mod registry;
mod session;
mod statements;

use std::time::Duration;

use bytes::Bytes;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use super::session::connect;
use crate::error::Result;
use crate::load::{
    Chunk, Comparison, Encoder, Inspection, Purpose, RestoreState, RolledBack, SwapLimits, Swapped,
    TargetOptions, Wanted,
};
use pair::TablePair;

/// A session with a database that rows are restored into.
pub(crate) struct PostgresTarget {
    connection: PgConnection,
    options: TargetOptions,
}

/// Tables in our schema that are being filled; or, into empty tables, the transaction that fills those.
pub(crate) struct PostgresStage {
    connection: PgConnection,
    options: TargetOptions,
    purpose: Purpose,
    wanted: Wanted,
    /// Of the plan; the swap looks again.
    fingerprint: String,
    /// One for each of `wanted.tables`, in that order.
    tables: Vec<TablePair>,
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

    pub(crate) async fn inspect(&mut self, _wanted: &Wanted) -> Result<Inspection> {
        todo!()
    }

    pub(crate) async fn stage(
        self,
        _wanted: &Wanted,
        _fingerprint: &str,
        _purpose: &Purpose,
    ) -> Result<PostgresStage> {
        todo!()
    }

    pub(crate) async fn state_of(&mut self, _restore: &str) -> Result<Option<RestoreState>> {
        todo!()
    }

    pub(crate) async fn roll_back(
        &mut self,
        _restore: &str,
        _discard_changes: bool,
        _lock: Duration,
    ) -> Result<RolledBack> {
        todo!()
    }

    pub(crate) async fn discard(&mut self, _restore: &str) -> Result<()> {
        todo!()
    }

    pub(crate) async fn close(self) {
        todo!()
    }
}

impl PostgresStage {
    pub(crate) fn encoder(&self, _table: usize) -> Encoder {
        todo!()
    }

    pub(crate) async fn load(&mut self, _table: usize, _chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        todo!()
    }

    pub(crate) async fn load_large_object(
        &mut self,
        _oid: u32,
        _pieces: mpsc::Receiver<Bytes>,
    ) -> Result<u64> {
        todo!()
    }

    pub(crate) async fn compare(&mut self) -> Result<Comparison> {
        todo!()
    }

    pub(crate) async fn keep(&mut self) -> Result<()> {
        todo!()
    }

    pub(crate) async fn swap(self, _limits: &SwapLimits) -> Result<Swapped> {
        todo!()
    }

    pub(crate) async fn close(self) {
        todo!()
    }
}
