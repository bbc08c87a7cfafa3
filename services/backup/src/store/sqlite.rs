//! The backup service's tables in SQLite: one writer connection, and readers beside it.
//!
//! Every change begins with BEGIN IMMEDIATE on the only writer, so changes are serial.

mod archive_upload;
mod backup;
mod drill;
mod import;
mod locks;
mod operation;
mod process;
mod restore;
mod schedule;

use strongroom_store::sqlite::{Connection, Database, Pools};

/// The store on SQLite.
pub(super) struct Store {
    pools: Pools,
}

impl Store {
    pub(super) fn new(pools: Pools) -> Self {
        Self { pools }
    }
}
