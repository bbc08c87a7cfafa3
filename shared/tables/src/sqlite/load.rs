//! SQLite: rows are staged in a file of ours beside the database and applied as a row difference in one IMMEDIATE
//! transaction, which readers of a database in WAL mode do not notice. The database file itself is never replaced: processes
//! that have it open would go on with the old one.

mod value;

use std::path::Path;
use std::time::Duration;

use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use super::connection::Connection;
use crate::error::{Error, Result};
use crate::load::{
    Chunk, Comparison, Encoder, Inspection, Mode, Purpose, RestoreState, RolledBack, SwapLimits, Swapped,
    TargetOptions, Wanted,
};
pub(crate) use value::Value;

/// An open database that rows are restored into.
pub(crate) struct SqliteTarget {
    connection: Connection,
    options: TargetOptions,
}

/// A file of ours that is being filled; or, into empty tables, the transaction that fills those.
pub(crate) struct SqliteStage {
    connection: Connection,
    options: TargetOptions,
    mode: Mode,
    purpose: Purpose,
}

impl SqliteTarget {
    pub(crate) async fn open(_url: &DatabaseUrl, _path: &Path, _options: TargetOptions) -> Result<Self> {
        todo!()
    }

    pub(crate) async fn inspect(&mut self, _wanted: &Wanted) -> Result<Inspection> {
        todo!()
    }

    pub(crate) async fn stage(
        self,
        _wanted: &Wanted,
        _fingerprint: &str,
        _purpose: &Purpose,
    ) -> Result<SqliteStage> {
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

    pub(crate) async fn discard(&mut self, _restore: &str, _only: RestoreState) -> Result<bool> {
        todo!()
    }

    pub(crate) async fn close(self) {
        todo!()
    }
}

impl SqliteStage {
    pub(crate) fn encoder(&self, _table: usize) -> Encoder {
        todo!()
    }

    pub(crate) async fn load(&mut self, _table: usize, _chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        todo!()
    }

    pub(crate) fn no_large_object(&self, oid: u32) -> Error {
        Error::missing(&self.options.read.source, format!("large object {oid}"))
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
