//! The vault's tables in PostgreSQL.
//!
//! Changes run beside each other; the audit head's row, locked last in each, puts their events in order.

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

use sqlx::PgPool;
use strongroom_store::Result;

use crate::store::AuditHead;
use crate::store::ChainKey;
use change::Change;

/// The store on PostgreSQL.
pub(super) struct PostgresStore {
    pool: PgPool,
    /// Chains the audit log; set once the ring is open.
    chain: RwLock<Option<ChainKey>>,
    /// Where the last batch of uses left the log.
    newest: Mutex<AuditHead>,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, chain: RwLock::new(None), newest: Mutex::default() }
    }

    fn chain(&self) -> Option<ChainKey> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn begin(&self) -> Result<Change> {
        Ok(Change::new(self.pool.begin().await?, self.chain()))
    }

    /// For what must happen once: the head's lock first, so that the second of two sees the first's rows.
    async fn begin_alone(&self) -> Result<Change> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT sequence FROM audit_head WHERE id = 1 FOR UPDATE").execute(&mut *tx).await?;
        Ok(tx)
    }
}
