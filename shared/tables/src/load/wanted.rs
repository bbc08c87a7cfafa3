//! What an archive has for one database.

use strongroom_archive::manifest::SourceRecord;
use strongroom_archive::schema::{DatabaseSchema, TableSchema};

use super::Mode;

/// What is to be restored into one database, and what the caller has agreed to.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What becomes of rows that are there.
    pub mode: Mode,
    /// In archive order. A table's place in this list names it in every later call.
    pub tables: Vec<WantedTable>,
    /// What the manifest says of the source: sequences, extensions, migrations.
    pub record: SourceRecord,
    /// The archive's views of this source, which [`Self::create_tables`] creates.
    pub views: Option<DatabaseSchema>,
    /// Ids of the archive's large objects of this source (PostgreSQL).
    pub large_objects: Vec<u32>,
    /// Creates tables that do not exist ([`Mode::IntoEmpty`] only).
    pub create_tables: bool,
    /// Rows outside of the restored tables may go with rows that they reference.
    pub accept_cascade: bool,
    /// Readers may have to wait for the whole transaction.
    pub accept_pause: bool,
}

/// A table of the archive.
#[derive(Debug, Clone)]
pub struct WantedTable {
    /// Its entry in the archive. Its own name in the database is `namespace` and `table`, not `name`.
    pub schema: TableSchema,
    /// Rows that the manifest counts.
    pub rows: u64,
    /// The archive has only its rows since a time, or only chosen ones: it can be merged, and replaces nothing.
    pub is_partial: bool,
}
