//! How staged rows differ from live ones.

use std::time::Duration;

use super::Refusal;

/// Rows of one table that [`TableChanges::examples`] names at most, of all kinds together.
pub const MOST_EXAMPLES: usize = 100;

/// What applying a stage would do now.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// One for each of [`super::Wanted::tables`], in its order.
    pub tables: Vec<TableChanges>,
    /// What only shows in rows: rows outside of the set that reference rows to be removed, a reference that would dangle.
    pub refusals: Vec<Refusal>,
    /// Sentences that an operator should read before going on: rows outside of the set that go with those that they reference.
    pub warnings: Vec<String>,
    /// How long writers would wait, estimated from what the comparison took and how many rows change.
    pub writers_wait: Duration,
}

/// Rows of one table, each counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableChanges {
    /// Only in the archive.
    pub created: u64,
    /// In both under one key, and different: replaced.
    pub changed: u64,
    /// Only in the database: removed.
    pub deleted: u64,
    /// The same in both, or only in the database and kept ([`super::Mode::Merge`]).
    pub kept: u64,
    /// In both under one key, different, and kept as the database has it ([`super::Mode::Merge`]).
    pub conflicts: u64,
    /// Some of the created, changed, deleted and conflicting rows, at most [`MOST_EXAMPLES`].
    pub examples: Vec<Example>,
}

/// A row that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What happens to it.
    pub change: Change,
    /// Its key as a JSON array of texts, `["7"]`, cut to 200 bytes; empty for a table without a key.
    pub key: String,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is added.
    Created,
    /// It becomes what the archive has.
    Changed,
    /// It is removed.
    Deleted,
    /// It stays, although the archive has another one under its key.
    Conflict,
}
