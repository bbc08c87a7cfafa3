//! What the vault keeps, in domain verbs: each method is one transaction, and none crosses this trait.
//!
//! Two plain implementations stand in sibling folders; `contract.rs` runs one test per method on both. A
//! statement that is the same text on both engines stands once, beside its rows.

mod audit;
#[cfg(test)]
mod contract;
mod credential;
mod key;
mod key_request;
mod ledger;
mod postgres;
mod reassignment;
mod reencrypt;
mod reference;
mod request;
mod resolution;
mod selection;
mod sqlite;
mod token;
mod uses;
mod version;

use std::sync::Arc;

use strongroom_store::{DatabaseUrl, Engine, Result, open_postgres, open_sqlite};

pub(crate) use audit::{
    AuditHead, AuditRow, AuditStore, ChainReader, ChainedRow, CheckpointRow, CloseFilter, EventFilter,
    NewEvent, Prunable,
};
pub(crate) use credential::{
    Credential, CredentialChange, CredentialFilter, CredentialRow, CredentialStore, Labels, Stats,
};
pub(crate) use key::{KeyStore, KeyVersionRow, NewVersion, RootKeyRow, StateChange};
pub(crate) use key_request::{KeyRequestRow, KeyRequestStore};
pub(crate) use ledger::{CensusRow, LedgerStore, Needs, PinRow};
pub(crate) use reassignment::{Reassigned, Reassignment};
pub(crate) use reencrypt::{Lease, ReencryptJobRow, ReencryptStore, Resealed, SealedRow};
pub(crate) use reference::{Bound, ReferenceFilter, ReferenceRow, ReferenceStore};
pub(crate) use request::{Once, RequestRow, RequestStore};
pub(crate) use resolution::CandidateRow;
pub(crate) use token::{TokenRow, TokenStore};
pub(crate) use uses::{Use, UseStore};
pub(crate) use version::{Replacement, VersionRow, VersionStore};

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
pub(crate) trait Store: KeyStores + CredentialStores + TokenStore + RequestStore + LogStores {}

impl<T: KeyStores + CredentialStores + TokenStore + RequestStore + LogStores> Store for T {}

/// What the verbs of keys keep.
pub(crate) trait KeyStores: KeyStore + LedgerStore + KeyRequestStore + ReencryptStore {}

impl<T: KeyStore + LedgerStore + KeyRequestStore + ReencryptStore> KeyStores for T {}

/// What the verbs of credentials and references keep.
pub(crate) trait CredentialStores: CredentialStore + VersionStore + ReferenceStore {}

impl<T: CredentialStore + VersionStore + ReferenceStore> CredentialStores for T {}

/// What the audit log keeps.
pub(crate) trait LogStores: AuditStore + UseStore {}

impl<T: AuditStore + UseStore> LogStores for T {}

/// Opens the database behind `url` and brings its tables up to date.
///
/// # Errors
/// When it cannot be opened or migrated.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    match url.engine() {
        Engine::Sqlite(path) => {
            let pools = open_sqlite(path).await?;
            sqlx_macros::migrate!("migrations/sqlite").run(&pools.writer).await?;
            Ok(Arc::new(sqlite::SqliteStore::new(pools)))
        }
        Engine::Postgres(options) => {
            let pool = open_postgres(options).await?;
            sqlx_macros::migrate!("migrations/postgres").run(&pool).await?;
            Ok(Arc::new(postgres::PostgresStore::new(pool)))
        }
    }
}
