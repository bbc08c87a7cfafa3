//! What a database has outside of its tables' rows.

use strongroom_archive::manifest::{Extension, Migrations, Sequence};
use strongroom_archive::schema::DatabaseSchema;

/// Read in the snapshot, but for sequences, which do not follow it: they stand at or behind every number in the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The encoding of texts, as the database calls it.
    pub encoding: String,
    /// What was installed (PostgreSQL), by name.
    pub extensions: Vec<Extension>,
    /// Sequences, and counters of AUTOINCREMENT tables (SQLite). Of a selection of tables, only theirs.
    pub sequences: Vec<Sequence>,
    /// The number in the file's header (SQLite).
    pub user_version: Option<i64>,
    /// The application's mark in the file's header (SQLite).
    pub application_id: Option<i64>,
    /// See [`crate::MigrationsTable`].
    pub migrations: Option<Migrations>,
    /// Views.
    pub schema: DatabaseSchema,
    /// Ids of the large objects that can be read (PostgreSQL); none of a selection of tables.
    pub large_objects: Vec<u32>,
}
