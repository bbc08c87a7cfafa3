//! How staged rows differ from live ones.

use std::time::Duration;

use super::Refusal;

/// Maximum number of rows of one table in [`TableChanges::examples`], of all kinds together.
pub const MOST_EXAMPLES: usize = 100;

/// The effect of applying a stage now.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// One for each of [`super::Wanted::tables`], in its order.
    pub tables: Vec<TableChanges>,
    /// Reasons for refusal that only show in the rows: rows outside the restored tables that reference rows to be removed, or
    /// a reference that would dangle.
    pub refusals: Vec<Refusal>,
    /// Sentences that an operator should read before continuing: rows outside the restored tables that are deleted along with
    /// the rows that they reference.
    pub warnings: Vec<String>,
    /// Estimated time that writers would wait, from the duration of the comparison and the number of changed rows.
    pub writers_wait: Duration,
}

/// Rows of one table, each counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableChanges {
    /// Only in the archive.
    pub created: u64,
    /// In both under one key, but different: replaced.
    pub changed: u64,
    /// Only in the database: removed.
    pub deleted: u64,
    /// Equal in both, or only in the database and kept ([`super::Mode::Merge`]).
    pub kept: u64,
    /// In both under one key, different, and kept as they are in the database ([`super::Mode::Merge`]).
    pub conflicts: u64,
    /// Some of the created, changed, deleted and conflicting rows, at most [`MOST_EXAMPLES`].
    pub examples: Vec<Example>,
}

/// A row that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What happens to it.
    pub change: Change,
    /// Its key as a JSON array of strings, `["7"]`, cut to 200 bytes; empty for a table without a key.
    pub key: String,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is added.
    Created,
    /// It is replaced by the archive's row.
    Changed,
    /// It is removed.
    Deleted,
    /// It stays, although the archive has a different row under its key.
    Conflict,
}
