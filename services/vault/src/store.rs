//! What the vault keeps, in domain verbs: each method is one transaction, and none crosses this trait.
//!
//! Two plain implementations stand in sibling folders; `contract.rs` runs one test per method on both. A
//! statement that is the same text on both engines stands once, beside its rows.

mod audit;
#[cfg(test)]
mod contract;
mod credential;
mod key;
mod postgres;
mod reference;
mod sqlite;
mod token;

use std::sync::Arc;

use strongroom_store::{DatabaseUrl, Engine, Result, open_postgres, open_sqlite};

pub(crate) use audit::{
    AuditHead, AuditRow, AuditStore, ChainReader, ChainedRow, CheckpointRow, CloseFilter, EventFilter,
    NewEvent, Prunable, Use,
};
pub(crate) use credential::{
    Credential, CredentialChange, CredentialFilter, CredentialRow, CredentialStore, Labels, Stats,
};
pub(crate) use key::{KeyStore, KeyVersionRow, RootKeyRow};
pub(crate) use reference::{ReferenceFilter, ReferenceRow, ReferenceStore};
pub(crate) use token::{TokenRow, TokenStore};

/// What became of a change to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed<T> {
    /// It was made, and its event is in the log.
    Done(T),
    /// There is no such row.
    Missing,
    /// The row's revision is not the one expected.
    Stale,
    /// References stand in the way: so many.
    Referenced(i64),
}

/// The vault's database: every noun's verbs.
///
/// Every change takes the audit event that it commits with. Times are microseconds, ids are text.
pub(crate) trait Store: KeyStore + CredentialStore + ReferenceStore + TokenStore + AuditStore {}

impl<T: KeyStore + CredentialStore + ReferenceStore + TokenStore + AuditStore> Store for T {}

/// Opens the database behind `url` and brings its tables up to date.
///
/// # Errors
/// When it cannot be opened or migrated.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    match url.engine() {
        Engine::Sqlite(path) => {
            let pools = open_sqlite(path).await?;
            sqlx::migrate!("migrations/sqlite").run(&pools.writer).await?;
            Ok(Arc::new(sqlite::SqliteStore::new(pools)))
        }
        Engine::Postgres(options) => {
            let pool = open_postgres(options).await?;
            sqlx::migrate!("migrations/postgres").run(&pool).await?;
            Ok(Arc::new(postgres::PostgresStore::new(pool)))
        }
    }
}
