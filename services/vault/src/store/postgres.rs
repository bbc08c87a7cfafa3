//! The vault's tables in PostgreSQL.
//!
//! Changes run beside each other; the audit head's row, locked last in each, puts their events in order.

mod audit;
mod credential;
mod key;
mod key_request;
mod ledger;
mod reencrypt;
mod reference;
mod request;
mod token;
mod version;

use sqlx::{PgPool, Postgres, Transaction};
use strongroom_store::Result;

/// The store on PostgreSQL.
pub(super) struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.pool.begin().await?)
    }

    /// For what must happen once: the head's lock first, so that the second of two sees the first's rows.
    async fn begin_alone(&self) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT sequence FROM audit_head WHERE id = 1 FOR UPDATE").execute(&mut *tx).await?;
        Ok(tx)
    }
}
