//! The vault's tables in SQLite: one writer connection, readers beside it.
//!
//! Every change begins with BEGIN IMMEDIATE on the only writer, so changes are serial.

mod audit;
mod change;
mod credential;
mod key;
mod key_request;
mod ledger;
mod reencrypt;
mod reference;
mod request;
mod token;
mod uses;
mod version;

use std::sync::{Mutex, PoisonError, RwLock};

use strongroom_store::{Result, SqlitePools};

use crate::store::AuditHead;
use crate::store::ChainKey;
use change::Change;

/// The store on SQLite.
pub(super) struct SqliteStore {
    pools: SqlitePools,
    /// Chains the audit log; set once the ring is open.
    chain: RwLock<Option<ChainKey>>,
    /// Where the last batch of uses left the log.
    newest: Mutex<AuditHead>,
}

impl SqliteStore {
    pub(super) fn new(pools: SqlitePools) -> Self {
        Self { pools, chain: RwLock::new(None), newest: Mutex::default() }
    }

    fn chain(&self) -> Option<ChainKey> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn begin(&self) -> Result<Change> {
        Ok(Change::new(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?, self.chain()))
    }
}
