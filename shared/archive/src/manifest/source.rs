//! The manifest's records of sources: how each was read, and its properties outside of its tables.

use serde::{Deserialize, Serialize};

use super::MOST_ENTRIES;
use super::list::list;

/// One source of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its configured name.
    pub name: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub kind: String,
    /// Product and version: `PostgreSQL 15.18`.
    pub engine: String,
    /// The consistency of the reading.
    pub snapshot: Snapshot,
    /// The encoding of its texts, as named by the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Its installed extensions (PostgreSQL), by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub extensions: Vec<Extension>,
    /// The migrations applied by its application; absent unless their table is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<Migrations>,
    /// The application's version number in the file header (SQLite).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_version: Option<i64>,
    /// The application's id in the file header (SQLite).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<i64>,
    /// The positions of its sequences, read soon after its snapshot was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub sequences: Vec<Sequence>,
    /// Tables and files that were left out, each with the reason.
    #[serde(default, deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub skipped: Vec<Skipped>,
}

impl SourceRecord {
    /// A source without any of the optional properties.
    #[must_use]
    pub fn new(name: &str, kind: &str, engine: &str, snapshot: Snapshot) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            engine: engine.to_owned(),
            snapshot,
            encoding: None,
            extensions: Vec::new(),
            migrations: None,
            user_version: None,
            application_id: None,
            sequences: Vec::new(),
            skipped: Vec::new(),
        }
    }
}

/// How the reads of a source's tables are kept consistent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshot {
    /// One REPEATABLE READ READ ONLY transaction (PostgreSQL).
    RepeatableRead,
    /// One read transaction (SQLite).
    ReadTransaction,
    /// A copy made by VACUUM INTO (SQLite).
    VacuumCopy,
    /// Each file is read independently.
    PerFile,
    /// The vault's own snapshot.
    Vault,
}

/// A table or file that is not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The table, or the file's path.
    pub name: String,
    /// The reason, for people.
    pub reason: String,
}

/// An extension of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// The version, as printed by the database.
    pub version: String,
}

/// The contents of an application's own table of migrations. An archive is newer than a database that lacks
/// some of its ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// The table, by its name in the source.
    pub table: String,
    /// The column with the migration ids.
    pub column: String,
    /// The column's texts, in order.
    #[serde(deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub ids: Vec<String>,
}

/// A sequence, or the counter of an AUTOINCREMENT table (SQLite).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its database schema (PostgreSQL); empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name; the table's for SQLite.
    pub name: String,
    /// The number generated last, or the first number to be generated.
    pub last_value: i64,
    /// False before the first number was generated.
    pub is_called: bool,
    /// Its definition (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<SequenceRange>,
    /// The column that owns it and with which it is dropped (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SequenceOwner>,
}

/// The definition of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRange {
    /// `smallint`, `integer` or `bigint`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The first number.
    pub start: i64,
    /// The step; can be negative.
    pub increment: i64,
    /// The smallest number.
    pub min: i64,
    /// The greatest number.
    pub max: i64,
    /// How many numbers a session reserves at a time.
    pub cache: i64,
    /// Whether it restarts after its end.
    pub cycle: bool,
}

/// A column whose numbers come from a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceOwner {
    /// The table's database schema.
    pub namespace: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}
