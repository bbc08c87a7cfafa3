//! The backup service's own database as domain operations: each method is one transaction, and no transaction crosses
//! this trait.
//!
//! It holds the serving processes ([`ProcessStore`]), their running operations ([`OperationStore`]), the catalogue of
//! stored backups ([`CatalogueStore`]), restores ([`RestoreStore`]), the archives uploaded for them
//! ([`ArchiveUploadStore`]), the source that an import of tables changes ([`ImportStore`]), schedules
//! ([`ScheduleStore`]) and drills ([`DrillStore`]). `sqlite` and `postgres` implement them; `contract` runs one test
//! per method on both; `twins` checks that both have the same text. Times are microseconds since the epoch, ids are
//! text.

mod archive_upload;
mod backup;
#[cfg(test)]
mod contract;
mod copy;
mod drill;
mod import;
mod operation;
mod postgres;
mod process;
mod restore;
mod schedule;
mod sqlite;
#[cfg(test)]
mod twins;

use std::sync::Arc;

use strongroom_store::{DatabaseUrl, Engine, Result};

pub(crate) use archive_upload::{ArchiveUploadRow, ArchiveUploadStore};
pub(crate) use backup::{BackupFilter, BackupRow, BackupState, CatalogueStore, Replaced, StoredBackup};
pub(crate) use copy::{CopyRow, CopyState};
pub(crate) use drill::{DrillRow, DrillState, DrillStore, ScratchRow};
pub(crate) use import::ImportStore;
pub(crate) use operation::{OperationRow, OperationStore};
pub(crate) use process::{ProcessRow, ProcessStore};
pub(crate) use restore::TargetRow;
pub(crate) use restore::{Begun, RestoreRow, RestoreState, RestoreStore};
pub(crate) use schedule::{ScheduleRow, ScheduleStore, Turn};

/// A column contains a text that is not a value of its enum.
#[derive(Debug, thiserror::Error)]
#[error("{column} holds {text:?}")]
pub(crate) struct UnknownText {
    column: &'static str,
    text: String,
}

/// The part of the store that the membership needs.
pub(crate) trait Processes: ProcessStore + OperationStore {}

impl<T: ProcessStore + OperationStore> Processes for T {}

/// The backup service's database: all of its stores.
pub(crate) trait Store:
    Processes + CatalogueStore + RestoreStore + ImportStore + ArchiveUploadStore + ScheduleStore + DrillStore
{
}

impl<
    T: Processes + CatalogueStore + RestoreStore + ImportStore + ArchiveUploadStore + ScheduleStore + DrillStore,
> Store for T
{
}

/// Opens the database behind `url` and brings its tables up to date.
///
/// # Errors
/// When it cannot be opened or migrated.
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
