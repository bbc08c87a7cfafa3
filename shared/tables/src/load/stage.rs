//! Rows staged beside the live ones until they are swapped in.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Chunk, Comparison, Encoder, TableChanges};
use crate::error::Result;
use crate::postgres::load::PostgresStage;
use crate::sqlite::load::SqliteStage;

/// Purpose of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To compare only. Nothing of it remains.
    Trial,
    /// To be applied, under the restore's id (a UUID as text). From here on [`super::Target::state_of`] finds it.
    Restore(String),
}

/// Time limits of a swap.
#[derive(Debug, Clone, Copy)]
pub struct SwapLimits {
    /// Total time to acquire the locks, over all attempts. Between attempts nothing waits for this restore.
    pub lock: Duration,
    /// Gives up, with nothing changed, rather than block writers longer than this.
    pub pause: Option<Duration>,
}

/// The result of a swap.
#[derive(Debug, Clone, Default)]
pub struct Swapped {
    /// One entry for each of [`super::Wanted::tables`], without examples.
    pub tables: Vec<TableChanges>,
    /// How long writers had to wait.
    pub paused: Duration,
}

/// Our own tables while they are being filled, on a separate connection. Dropping the stage ends any running statement; a
/// trial then disappears, and a restore's stage remains for [`super::Target::discard`].
pub struct Stage(pub(super) Inner);

pub(super) enum Inner {
    Sqlite(Box<SqliteStage>),
    Postgres(Box<PostgresStage>),
}

impl Stage {
    /// An encoder that converts the archive's rows of the table at index `table` into chunks for [`Self::load`].
    #[must_use]
    pub fn encoder(&self, table: usize) -> Encoder {
        match &self.0 {
            Inner::Sqlite(stage) => stage.encoder(table),
            Inner::Postgres(stage) => stage.encoder(table),
        }
    }

    /// Loads all rows of a table, once, and returns their number. A channel that closes before the last chunk
    /// ([`Chunk::is_last`]) is an error, never a shortened table.
    ///
    /// # Errors
    /// [`crate::Error::Constraint`] for rows that the table rejects, and [`crate::Error::Cancelled`] if the last chunk does
    /// not arrive.
    pub async fn load(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.load(table, chunks).await,
            Inner::Postgres(stage) => stage.load(table, chunks).await,
        }
    }

    /// Loads a large object (PostgreSQL) under its own id; an empty piece ends it. Stages hold no large objects: for empty
    /// tables it is created with the rows, otherwise by the swap.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if the empty piece does not arrive, or a database error.
    pub async fn load_large_object(&mut self, oid: u32, pieces: mpsc::Receiver<Bytes>) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(stage) => Err(stage.no_large_object(oid)),
            Inner::Postgres(stage) => stage.load_large_object(oid, pieces).await,
        }
    }

    /// Compares the stage with the live rows after everything is loaded. For empty tables, all staged rows count as created.
    ///
    /// # Errors
    /// A database error.
    pub async fn compare(&mut self) -> Result<Comparison> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.compare().await,
            Inner::Postgres(stage) => stage.compare().await,
        }
    }

    /// Finds violations that [`Self::compare`] cannot see and only the tables themselves report: SQLite's constraints, which
    /// its stage lacks. There it does the same as a swap, in a transaction that is rolled back, and writers wait just as
    /// long. PostgreSQL's stage has the constraints itself, so nothing is done.
    ///
    /// # Errors
    /// As for [`Self::swap`].
    pub async fn rehearse(&mut self, limits: &SwapLimits) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.rehearse(limits).await,
            Inner::Postgres(_) => Ok(()),
        }
    }

    /// Makes a restore's stage survive a crash, ready to be swapped in. For empty tables it does nothing: the swap commits
    /// their rows.
    ///
    /// # Errors
    /// A database error.
    pub async fn keep(&mut self) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(stage) => stage.keep().await,
            Inner::Postgres(stage) => stage.keep().await,
        }
    }

    /// Applies the difference in one transaction, in which the marker that [`super::Target::state_of`] reads becomes
    /// [`super::RestoreState::Applied`]. An error leaves every live row unchanged, unless the connection was lost during the
    /// commit: then the marker shows the outcome.
    ///
    /// # Errors
    /// [`crate::Error::Stale`], [`crate::Error::Locked`], [`crate::Error::PauseTooLong`], [`crate::Error::Refused`] for the
    /// current [`Comparison::refusals`], or a database error.
    pub async fn swap(self, limits: &SwapLimits) -> Result<Swapped> {
        match self.0 {
            Inner::Sqlite(stage) => stage.swap(limits).await,
            Inner::Postgres(stage) => stage.swap(limits).await,
        }
    }

    /// Ends a trial or an abandoned restore, and waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(stage) => stage.close().await,
            Inner::Postgres(stage) => stage.close().await,
        }
    }
}
