//! The parts of a database that are outside its tables' rows.

use strongroom_archive::manifest::{Extension, Migrations, Sequence};
use strongroom_archive::schema::DatabaseSchema;

/// Read in the snapshot, except sequences, which are not transactional: their values are at or past every number in the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The encoding of texts, under the database's name for it.
    pub encoding: String,
    /// Installed extensions (PostgreSQL), by name.
    pub extensions: Vec<Extension>,
    /// Sequences, and counters of AUTOINCREMENT tables (SQLite). For a selection of tables, only theirs.
    pub sequences: Vec<Sequence>,
    /// The user version in the file's header (SQLite).
    pub user_version: Option<i64>,
    /// The application id in the file's header (SQLite).
    pub application_id: Option<i64>,
    /// See [`crate::MigrationsTable`].
    pub migrations: Option<Migrations>,
    /// Views.
    pub schema: DatabaseSchema,
    /// Ids of the readable large objects (PostgreSQL); empty for a selection of tables.
    pub large_objects: Vec<u32>,
}
