//! An archive's contents for one database.

use strongroom_archive::manifest::SourceRecord;
use strongroom_archive::schema::{DatabaseSchema, TableSchema};

use super::Mode;

/// The rows to restore into one database, and the caller's consents.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How existing rows are treated.
    pub mode: Mode,
    /// In archive order. Every later call identifies a table by its index in this list.
    pub tables: Vec<WantedTable>,
    /// The manifest's record of the source: sequences, extensions, migrations.
    pub record: SourceRecord,
    /// The archive's views of this source, which [`Self::create_tables`] creates.
    pub views: Option<DatabaseSchema>,
    /// Ids of the large objects of this source in the archive (PostgreSQL).
    pub large_objects: Vec<u32>,
    /// Creates tables that do not exist ([`Mode::IntoEmpty`] only).
    pub create_tables: bool,
    /// Rows outside the restored tables may be deleted along with rows that they reference.
    pub accept_cascade: bool,
    /// Readers may have to wait for the whole transaction.
    pub accept_pause: bool,
}

/// A table of the archive.
#[derive(Debug, Clone)]
pub struct WantedTable {
    /// Its entry in the archive. Its name in the database is `namespace` and `table`, not `name`.
    pub schema: TableSchema,
    /// Row count in the manifest.
    pub rows: u64,
    /// The archive has only the table's rows since a time, or only chosen ones: it can be merged but cannot replace rows.
    pub is_partial: bool,
}
