//! The vault's tables in SQLite: one writer connection, readers beside it.
//!
//! Every change begins with BEGIN IMMEDIATE on the only writer, so changes are serial.

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

use sqlx::{Sqlite, Transaction};
use strongroom_store::{Result, SqlitePools};

/// The store on SQLite.
pub(super) struct SqliteStore {
    pools: SqlitePools,
}

impl SqliteStore {
    pub(super) fn new(pools: SqlitePools) -> Self {
        Self { pools }
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}
