//! What a database is like before a restore, and what stands against it.

use super::Refusal;

/// What [`super::Target::inspect`] has found. Nothing was written.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Which database it is, whatever its URL says: two targets of the same one have equal texts.
    pub place: String,
    /// Product and version, as in [`crate::SnapshotInfo`].
    pub engine: String,
    /// Lower-case hex SHA-256 over everything that a restore relies on: columns, keys, constraints, triggers with their
    /// states, rules, policies and references of the tables, and references to them. Rows are not part of it.
    pub fingerprint: String,
    /// Why it cannot be done, most important first; empty when it can.
    pub refusals: Vec<Refusal>,
    /// Sentences that an operator should read before going on: stale materialized views, sequences that do not exist.
    pub warnings: Vec<String>,
    /// Tables that would be created, by archive name.
    pub creates: Vec<String>,
    /// What readers and writers have to expect.
    pub pause: Pause,
    /// Bytes that stage and undo may take beside the live tables, estimated from the archive's rows.
    pub needed_bytes: u64,
}

/// Who waits while the difference is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pause {
    /// Readers wait too, as long as writers.
    pub readers: bool,
    /// What would avoid that, as a statement or an option; empty where nothing would.
    pub remedy: String,
}
