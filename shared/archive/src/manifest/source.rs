//! What the manifest says of each source: how it was read, and what it had outside of its tables.

use serde::{Deserialize, Serialize};

use super::MOST_ENTRIES;
use super::list::list;

/// One source of the backup set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its configured name.
    pub name: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub kind: String,
    /// Product and version: `PostgreSQL 15.18`.
    pub engine: String,
    /// How consistent the reading was.
    pub snapshot: Snapshot,
    /// The encoding of its texts, as the database calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What was installed in it (PostgreSQL), by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub extensions: Vec<Extension>,
    /// The migrations that its application had applied; absent unless their table is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<Migrations>,
    /// The number that an application keeps in the file's header (SQLite).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_version: Option<i64>,
    /// The application's mark in the file's header (SQLite).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<i64>,
    /// Where its sequences stood soon after its snapshot was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub sequences: Vec<Sequence>,
    /// Tables and files that were left out, each with its reason.
    #[serde(default, deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub skipped: Vec<Skipped>,
}

impl SourceRecord {
    /// Of a source that has nothing beside what is read.
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

/// What holds a source's tables together in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshot {
    /// One REPEATABLE READ READ ONLY transaction (PostgreSQL).
    RepeatableRead,
    /// One read transaction (SQLite).
    ReadTransaction,
    /// A copy made by VACUUM INTO (SQLite).
    VacuumCopy,
    /// Each file by itself.
    PerFile,
    /// The vault's own snapshot.
    Vault,
}

/// A table or file that is not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The table, or the file's path.
    pub name: String,
    /// Why, for people.
    pub reason: String,
}

/// An extension of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// As the database prints it.
    pub version: String,
}

/// What an application's own table of migrations holds. An archive with ids that a database does not have is newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// The table, by its name in the source.
    pub table: String,
    /// The column.
    pub column: String,
    /// Its texts in order.
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
    /// The number that it gave out last, or begins with.
    pub last_value: i64,
    /// False while it has given out none.
    pub is_called: bool,
    /// What it counts (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<SequenceRange>,
    /// The column that it belongs to and is dropped with (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SequenceOwner>,
}

/// How a sequence was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRange {
    /// `smallint`, `integer` or `bigint`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The first number.
    pub start: i64,
    /// The step, which may be negative.
    pub increment: i64,
    /// The least number.
    pub min: i64,
    /// The greatest number.
    pub max: i64,
    /// How many a session takes at once.
    pub cache: i64,
    /// Whether it begins again at its end.
    pub cycle: bool,
}

/// A column that numbers come from a sequence for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceOwner {
    /// The table's database schema.
    pub namespace: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}
