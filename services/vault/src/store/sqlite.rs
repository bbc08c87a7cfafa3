//! The vault's tables in SQLite: one writer connection, and readers beside it.
//!
//! Every change begins with BEGIN IMMEDIATE on the only writer, so changes are serial.

mod append;
mod audit;
mod change;
mod credential;
mod events;
mod group_commit;
mod key;
mod key_request;
mod ledger;
mod lists;
mod locks;
mod person;
mod recode;
mod reencrypt;
mod reference;
mod request;
mod reseal;
mod restore;
mod restore_others;
mod restore_rows;
mod restore_undo;
mod restore_write;
mod signature;
mod token;
mod uses;
mod version;

use strongroom_store::Result;
use strongroom_store::sqlite::{Connection, Database, Pool, Pools, Transaction};

use super::audit::LogTail;
use super::granting::Codes;
use super::key_state::States;
use change::Change;

/// The store on SQLite.
pub(super) struct Store {
    pools: Pools,
    tail: LogTail,
    codes: Codes,
    states: States,
}

impl Store {
    pub(super) fn new(pools: Pools) -> Self {
        Self { pools, tail: LogTail::default(), codes: Codes::default(), states: States::default() }
    }

    /// Runs statements that only read.
    fn reader(&self) -> &Pool {
        self.pools.reader()
    }

    /// Runs single statements that write and have no event.
    fn writer(&self) -> &Pool {
        self.pools.writer()
    }

    /// Begins a change.
    async fn begin(&self) -> Result<Change> {
        Ok(Change::new(self.pools.begin().await?, self.tail.key(), self.tail.failures().clone()))
    }

    /// Begins a change ahead of those that wait.
    async fn begin_ahead(&self) -> Result<Change> {
        Ok(Change::new(self.pools.begin_ahead().await?, self.tail.key(), self.tail.failures().clone()))
    }

    /// Begins a change that runs alone, as every change on SQLite does.
    async fn begin_alone(&self) -> Result<Change> {
        self.begin().await
    }
}
