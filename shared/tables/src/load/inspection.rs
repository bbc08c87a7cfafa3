//! The state of a database before a restore, and the reasons against restoring into it.

use super::Refusal;

/// The findings of [`super::Target::inspect`]. Nothing was written.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Identifies the database, whatever its URL: two targets for the same database have equal texts.
    pub place: String,
    /// Product and version, as in [`crate::SnapshotInfo`].
    pub engine: String,
    /// Lower-case hex SHA-256 over everything that a restore relies on: the tables' columns, keys, constraints, triggers with
    /// their states, rules, policies and references, and references to the tables. Rows are not part of it.
    pub fingerprint: String,
    /// Reasons why the restore is impossible, most important first; empty if it is possible.
    pub refusals: Vec<Refusal>,
    /// Sentences that an operator should read before continuing: stale materialized views, sequences that do not exist.
    pub warnings: Vec<String>,
    /// Tables that would be created, by archive name.
    pub creates: Vec<String>,
    /// The pause that readers and writers have to expect.
    pub pause: Pause,
    /// Bytes that stage and undo can take beside the live tables, estimated from the archive's rows.
    pub needed_bytes: u64,
}

/// Who waits while the difference is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pause {
    /// Readers wait too, for as long as writers.
    pub readers: bool,
    /// A statement or an option that would avoid the pause; empty if there is none.
    pub remedy: String,
}
