//! The vault's database in domain verbs: each method is one transaction, and no transaction crosses this trait.
//!
//! `sqlite` and `postgres` implement it. `contract` tests the methods on both, except for restores and the merge of
//! rings, which the tests of the service cover. A statement whose text is the same on both engines is declared once,
//! beside its rows. Files that are the same in both folders, except for their first line, must stay the same: `twins`
//! compares them. `chain` links audit events, `granting` authenticates rows that grant access, `columns` lists the
//! columns that depend on keys, and `key_names` names the vault's own keys.
//! Nothing here imports a module above the store.

mod audit;
pub(crate) mod chain;
pub(crate) mod columns;
#[cfg(test)]
mod contract;
mod credential;
mod event;
mod fields;
mod granting;
mod key;
pub(crate) mod key_names;
mod key_request;
mod key_state;
mod ledger;
mod lineage;
mod pages;
mod person;
mod postgres;
mod reassignment;
mod reencrypt;
mod reference;
mod request;
mod resolution;
pub(crate) mod restore;
mod selection;
mod signature;
mod sqlite;
mod token;
#[cfg(test)]
mod twins;
mod uses;
mod version;

use std::sync::Arc;

use strongroom_store::{DatabaseUrl, Engine, Result};

pub(crate) use audit::{
    AuditHead, AuditRow, AuditStore, ChainReader, ChainedRow, CheckpointRow, CloseFilter, EventFilter,
    Prunable,
};
pub(crate) use chain::ChainKey;
pub(crate) use credential::{
    Credential, CredentialChange, CredentialFilter, CredentialRow, CredentialStore, Labels, Stats,
};
pub(crate) use event::{CHANGE, NewEvent, Outcome};
pub(crate) use granting::{Examined, RowKeys, RowVerifiers};
pub(crate) use key::{KeyStore, KeyVersionRow, NewVersion, RingMerge, RootKeyRow, StateChange};
pub(crate) use key_request::{KeyApproval, KeyRequestRow, KeyRequestStore, RetirementAction};
pub(crate) use key_state::StateKeys;
pub(crate) use ledger::{ArchiveNeeds, CensusRow, LedgerStore, Needs, PinRow};
pub(crate) use lineage::{Ended, Lineages, MAX_LINKS};
pub(crate) use person::{
    Enrolled, Enrolment, Grounds, PersonAction, PersonApproval, PersonRequestRow, PersonRow, PersonStore,
};
pub(crate) use reassignment::{Reassigned, Reassignment};
pub(crate) use reencrypt::{JobState, Lease, ReencryptJobRow, ReencryptStore, Resealed, SealedRow};
pub(crate) use reference::{Bound, ReferenceFilter, ReferenceRow, ReferenceStore};
pub(crate) use request::{Once, RequestRow, RequestStore};
pub(crate) use resolution::CandidateRow;
pub(crate) use restore::{RestoreStore, StageRow};
pub(crate) use signature::{SignatureRow, SignatureStore, Signed};
pub(crate) use token::{Hashes, Reissue, Remaining, Revocation, TOKEN, TokenRow, TokenStore};
pub(crate) use uses::{Use, UseStore};
pub(crate) use version::{Replacement, VersionRow, VersionStore};

/// A column contains a text that its enum does not have.
#[derive(Debug, thiserror::Error)]
#[error("{column} holds {text:?}")]
pub(crate) struct UnknownText {
    column: &'static str,
    text: String,
}

/// Result of a change to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed<T> {
    /// The change is made, and its event is in the log.
    Done(T),
    /// The row does not exist.
    Missing,
    /// The row's revision is not the expected one.
    Stale,
    /// This number of references prevents the change.
    Referenced(i64),
}

impl<T> Changed<T> {
    /// The same result without the row.
    pub(super) fn without_row(self) -> Changed<()> {
        match self {
            Self::Done(_) => Changed::Done(()),
            Self::Missing => Changed::Missing,
            Self::Stale => Changed::Stale,
            Self::Referenced(count) => Changed::Referenced(count),
        }
    }
}

/// The vault's database: the operations of every domain module.
///
/// Every change takes the audit event that it commits with. Times are microseconds, ids are text.
pub(crate) trait Store:
    KeyStores + CredentialStores + AccessStores + RequestStore + LogStores + RestoreStore
{
}

impl<T: KeyStores + CredentialStores + AccessStores + RequestStore + LogStores + RestoreStore> Store for T {}

/// Storage for keys.
pub(crate) trait KeyStores:
    KeyStore + LedgerStore + SignatureStore + KeyRequestStore + ReencryptStore
{
}

impl<T: KeyStore + LedgerStore + SignatureStore + KeyRequestStore + ReencryptStore> KeyStores for T {}

/// Storage for credentials and references.
pub(crate) trait CredentialStores: CredentialStore + VersionStore + ReferenceStore {}

impl<T: CredentialStore + VersionStore + ReferenceStore> CredentialStores for T {}

/// Storage for tokens and people.
pub(crate) trait AccessStores: TokenStore + PersonStore {}

impl<T: TokenStore + PersonStore> AccessStores for T {}

/// Storage for the audit log.
pub(crate) trait LogStores: AuditStore + UseStore {}

impl<T: AuditStore + UseStore> LogStores for T {}

/// Opens the database at `url` and migrates its tables.
///
/// # Errors
/// If it cannot be opened or migrated.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    match url.engine() {
        Engine::Sqlite(path) => {
            let pools = strongroom_store::sqlite::open(path).await?;
            strongroom_store::sqlite::migrate(&pools, sqlx_macros::migrate!("migrations/sqlite")).await?;
            Ok(Arc::new(sqlite::Store::new(pools)))
        }
        Engine::Postgres(options) => {
            let pools = strongroom_store::postgres::open(options).await?;
            strongroom_store::postgres::migrate(options, sqlx_macros::migrate!("migrations/postgres"))
                .await?;
            Ok(Arc::new(postgres::Store::new(pools)))
        }
    }
}
