//! The vault's tables in PostgreSQL.
//!
//! Changes run concurrently; each locks the audit head's row last, which puts their events in order.

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
use strongroom_store::postgres::{Connection, Database, Pool, Pools, Transaction};

use super::audit::LogTail;
use super::granting::Codes;
use super::key_state::States;
use change::Change;

/// The store on PostgreSQL.
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

    /// Begins a change. Other changes run concurrently until it appends its event.
    async fn begin(&self) -> Result<Change> {
        Ok(Change::new(self.pools.begin().await?, self.tail.key(), self.tail.failures().clone()))
    }

    /// Begins a change ahead of those that wait.
    async fn begin_ahead(&self) -> Result<Change> {
        Ok(Change::new(self.pools.begin_ahead().await?, self.tail.key(), self.tail.failures().clone()))
    }

    /// Begins a change that runs alone: it locks the head first, so the second of two such changes sees the first one's
    /// rows.
    async fn begin_alone(&self) -> Result<Change> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT sequence FROM audit_head WHERE id = 1 FOR UPDATE").execute(&mut *tx).await?;
        Ok(tx)
    }
}
