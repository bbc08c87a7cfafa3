//! Rows beside the live ones, until they are swapped in.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Chunk, Comparison, Encoder, TableChanges};
use crate::error::Result;
use crate::postgres::load::PostgresStage;
use crate::sqlite::load::SqliteStage;

/// What a stage is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To compare. Nothing of it lasts.
    Trial,
    /// To be applied, under the restore's id (a UUID's text). From here on [`super::Target::state_of`] finds it.
    Restore(String),
}

/// How long a swap may take.
#[derive(Debug, Clone, Copy)]
pub struct SwapLimits {
    /// Until the locks are held, all attempts together. Between attempts nobody waits for this restore.
    pub lock: Duration,
    /// Gives up, with nothing changed, rather than hold writers longer.
    pub pause: Option<Duration>,
}

/// What a swap has done.
#[derive(Debug, Clone, Default)]
pub struct Swapped {
    /// One for each of [`super::Wanted::tables`], without examples.
    pub tables: Vec<TableChanges>,
    /// How long writers had to wait.
    pub paused: Duration,
}

/// Tables of ours that are being filled, on a connection of their own. Dropping it ends what is running; a trial is then
/// gone, and a restore's stage stays for [`super::Target::discard`].
pub struct Stage(pub(super) Inner);

pub(super) enum Inner {
    Sqlite(Box<SqliteStage>),
    Postgres(Box<PostgresStage>),
}

impl Stage {
    /// What turns the archive's rows of the table at `table` into chunks for [`Self::load`].
    #[must_use]
    pub fn encoder(&self, table: usize) -> Encoder {
        match &self.0 {
            Inner::Sqlite(stage) => stage.encoder(table),
            Inner::Postgres(stage) => stage.encoder(table),
        }
    }

    /// Loads all rows of a table, once, and returns how many there were. A channel that ends before its last chunk
    /// ([`Chunk::is_last`]) makes no short table.
    ///
    /// # Errors
    /// [`crate::Error::Constraint`] for rows that the table does not take, and [`crate::Error::Cancelled`] where the last
    /// chunk does not come.
    pub async fn load(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.load(table, chunks).await,
            Inner::Postgres(stage) => stage.load(table, chunks).await,
        }
    }

    /// Loads a large object (PostgreSQL) under its own id; an empty piece is its end. Stages hold none: into empty tables it
    /// is created with the rows, otherwise by the swap.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] where the empty piece does not come, and the database's.
    pub async fn load_large_object(&mut self, oid: u32, pieces: mpsc::Receiver<Bytes>) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(stage) => Err(stage.no_large_object(oid)),
            Inner::Postgres(stage) => stage.load_large_object(oid, pieces).await,
        }
    }

    /// Compares with the live rows once everything is loaded. Into empty tables, all staged rows are created ones.
    ///
    /// # Errors
    /// The database's.
    pub async fn compare(&mut self) -> Result<Comparison> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.compare().await,
            Inner::Postgres(stage) => stage.compare().await,
        }
    }

    /// Finds what [`Self::compare`] does not see and only the tables themselves refuse: constraints of SQLite, whose stage has
    /// none. There it does what a swap does, in a transaction that is rolled back, and writers wait as long. PostgreSQL's stage
    /// has the constraints itself, so that nothing is done.
    ///
    /// # Errors
    /// As of [`Self::swap`].
    pub async fn rehearse(&mut self, limits: &SwapLimits) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.rehearse(limits).await,
            Inner::Postgres(_) => Ok(()),
        }
    }

    /// Makes a restore's stage last through a crash, ready to be swapped. Into empty tables it does nothing: their rows are
    /// committed by the swap.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep(&mut self) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.keep().await,
            Inner::Postgres(stage) => stage.keep().await,
        }
    }

    /// Applies the difference in one transaction, in which the marker that [`super::Target::state_of`] reads becomes
    /// [`super::RestoreState::Applied`]. An error leaves every live row as it was, unless the connection was lost in the
    /// commit: then the marker tells.
    ///
    /// # Errors
    /// [`crate::Error::Stale`], [`crate::Error::Locked`], [`crate::Error::PauseTooLong`], [`crate::Error::Refused`] for what
    /// [`Comparison::refusals`] holds at this moment, and the database's.
    pub async fn swap(self, limits: &SwapLimits) -> Result<Swapped> {
        match self.0 {
            Inner::Sqlite(stage) => stage.swap(limits).await,
            Inner::Postgres(stage) => stage.swap(limits).await,
        }
    }

    /// Ends a trial, or a restore that goes no further, and waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(stage) => stage.close().await,
            Inner::Postgres(stage) => stage.close().await,
        }
    }
}
