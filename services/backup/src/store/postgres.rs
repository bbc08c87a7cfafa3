//! The backup service's tables in PostgreSQL.
//!
//! Changes run concurrently; each locks the rows that it reads and depends on: processes before operations before
//! backups.

mod archive_upload;
mod backup;
mod drill;
mod import;
mod locks;
mod operation;
mod process;
mod restore;
mod schedule;

use strongroom_store::postgres::{Connection, Database, Pools};

/// The store on PostgreSQL.
pub(super) struct Store {
    pools: Pools,
}

impl Store {
    pub(super) fn new(pools: Pools) -> Self {
        Self { pools }
    }
}
