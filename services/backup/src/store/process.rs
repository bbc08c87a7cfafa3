//! Processes that serve from this database, each with a counter that it increments at every heartbeat.
//!
//! A counter instead of a time: an observer measures with its own clock how long the counter has not changed, so no
//! clock has to be right ([`crate::membership`]).
//!
//! A process that was declared dead keeps its row, with the process that ends its operations as its heir, until they
//! have ended. If the heir dies too, its own heir takes over both.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

/// A process that serves, or did so until it died.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct ProcessRow {
    /// Random and unique.
    pub(crate) id: String,
    /// Its host's name, for display.
    pub(crate) host: String,
    /// Incremented at every heartbeat.
    pub(crate) beat: i64,
    pub(crate) start_time: i64,
    /// The process that ends its operations; empty unless it was declared dead.
    pub(crate) heir: String,
}

impl ProcessRow {
    /// Whether it was not declared dead.
    pub(crate) fn serves(&self) -> bool {
        self.heir.is_empty()
    }
}

#[async_trait]
pub(crate) trait ProcessStore: Send + Sync + 'static {
    /// Checks that the database can be used.
    async fn ping(&self) -> Result<()>;

    /// Adds a process.
    async fn register_process(&self, process: &ProcessRow) -> Result<()>;

    /// Increments its counter; false if it was declared dead.
    async fn beat(&self, id: &str) -> Result<bool>;

    /// All processes by id, including dead ones.
    async fn processes(&self) -> Result<Vec<ProcessRow>>;

    /// Removes a process that stops, or a dead one whose operations have ended; false if it still has an operation, is
    /// the heir of another process, or is gone.
    async fn leave(&self, id: &str) -> Result<bool>;
}

/// Any statement that reads nothing.
pub(super) const PING: &str = "SELECT 1";

pub(super) const INSERT: &str = "
    INSERT INTO processes (id, host, beat, start_time, heir) VALUES ($1, $2, $3, $4, $5)";

pub(super) const BEAT: &str = "UPDATE processes SET beat = beat + 1 WHERE id = $1 AND heir = ''";

/// A SELECT of whole rows, followed by `FROM processes` and the given text.
macro_rules! select_processes {
    ($rest:literal) => {
        concat!("SELECT id, host, beat, start_time, heir FROM processes ", $rest)
    };
}
pub(super) use select_processes;

pub(super) const LIST: &str = select_processes!("ORDER BY id");

/// Gives everything that `$1` owns or has inherited to `$2`.
pub(super) const SET_HEIR: &str = "UPDATE processes SET heir = $2 WHERE id = $1 OR heir = $1";

pub(super) const REMOVE: &str = "
    DELETE FROM processes
    WHERE id = $1
      AND NOT EXISTS (SELECT 1 FROM operations WHERE owner = $1)
      AND NOT EXISTS (SELECT 1 FROM processes dead WHERE dead.heir = $1)";
