//! SQLite: rows are staged in our own file beside the database and applied as a row difference in one IMMEDIATE transaction,
//! which readers of a database in WAL mode do not notice. The database file itself is never replaced: processes that have it
//! open would continue with the old one.
//!
//! Rows of a table without a key can get other rowids than they had in the source, because an archive has no rowids. Kept
//! rows keep theirs.

mod affinity;
mod applied;
mod beforehand;
mod begin;
mod cascade;
mod compare;
mod computed;
mod create;
mod dangling;
mod difference;
mod empty;
mod encode;
mod fingerprint;
mod foreign_value;
mod insert;
mod inspect;
mod key;
mod live;
mod lock;
mod markers;
mod pair;
mod pause;
mod references;
mod refused;
mod roll_back;
mod room;
mod search;
mod sequences;
mod stage;
mod stage_file;
mod swap;
mod target;
mod triggers;
mod undo;
mod violations;

use std::path::PathBuf;
use std::time::Instant;

use tokio::sync::mpsc;

use super::connection::Connection;
use crate::error::{Error, Result};
use crate::load::{Chunk, Comparison, Encoder, SwapLimits, Swapped, TargetOptions, Wanted};
use encode::Values;
use live::Live;
use pair::Pair;
use stage::Place;
pub(crate) use stage_file::place_of;

/// An open database into which rows are restored.
pub(crate) struct SqliteTarget {
    connection: Connection,
    path: PathBuf,
    options: TargetOptions,
}

/// Our own file that is being filled; or, for empty tables, the transaction that fills them.
pub(crate) struct SqliteStage {
    connection: Connection,
    options: TargetOptions,
    wanted: Wanted,
    fingerprint: String,
    /// The restore's id (empty for a trial), and the digits that represent it.
    restore: String,
    digits: String,
    /// When the database got its marker.
    marked: Option<String>,
    /// The stage file of a restore; `None` for a trial.
    file: Option<PathBuf>,
    live: Live,
    pairs: Vec<Pair>,
    /// Number of rows loaded into each table.
    loaded: Vec<u64>,
    place: Place,
    started: Instant,
}

impl SqliteStage {
    pub(crate) fn encoder(&self, table: usize) -> Encoder {
        let archive = &self.wanted.tables[table].schema;
        Encoder::new(Box::new(Values::new(archive, &self.pairs[table], self.live.is_utf16)))
    }

    pub(crate) async fn load(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        self.load_rows(table, chunks).await
    }

    pub(crate) fn no_large_object(&self, oid: u32) -> Error {
        Error::missing(&self.options.read.source, format!("large object {oid}"))
    }

    pub(crate) async fn compare(&mut self) -> Result<Comparison> {
        self.compare_rows().await
    }

    pub(crate) async fn rehearse(&mut self, limits: &SwapLimits) -> Result<()> {
        self.rehearse_rows(limits).await
    }

    pub(crate) async fn keep(&mut self) -> Result<()> {
        self.keep_rows().await
    }

    pub(crate) async fn swap(mut self, limits: &SwapLimits) -> Result<Swapped> {
        let swapped = self.swap_rows(limits).await;
        self.close().await;
        swapped
    }

    /// Checks that the target is still the one that was planned for.
    async fn look_again(&mut self) -> Result<Live> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "looking at the target", &error);
        let live = live::read(&mut self.connection, &self.options.read).await.map_err(failed)?;
        let now = fingerprint::of(&mut self.connection, &live, &self.wanted).await.map_err(failed)?;
        if now == self.fingerprint { Ok(live) } else { Err(Error::Stale { name: source }) }
    }

    pub(crate) async fn close(self) {
        close(self.connection, &self.options.read.source).await;
    }
}

async fn close(connection: Connection, source: &str) {
    if let Err(error) = connection.close().await {
        tracing::warn!(source, %error, "cannot close a SQLite target cleanly");
    }
}
