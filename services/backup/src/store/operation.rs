//! Operations on stored backups that some process is busy with.
//!
//! An operation belongs to one process at a time: to its owner, or to the owner's heir once the owner was declared dead.
//! Each take-over raises the fencing number: whatever the process before still writes carries the old number and is
//! refused.

use std::fmt;

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

/// An operation that has not ended.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub(crate) struct OperationRow {
    /// Also that of its audit events. For one that makes a backup, the backup's id.
    pub(crate) id: String,
    /// As in metrics and logs: `create`.
    pub(crate) kind: String,
    /// The process that began it.
    pub(crate) owner: String,
    /// From 1.
    pub(crate) fence: i64,
    /// Of the caller that asked for it, so that whichever process ends it can name the caller in the audit log.
    pub(crate) delegation: Vec<u8>,
    /// Of its audit events: the file's name.
    pub(crate) target: String,
    pub(crate) trace_id: String,
    pub(crate) start_time: i64,
}

/// Without the delegation, which carries a right.
impl fmt::Debug for OperationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, owner, fence, target, .. } = self;
        write!(f, "OperationRow({kind} {id} of {target:?}, owner {owner}, fence {fence})")
    }
}

#[async_trait]
pub(crate) trait OperationStore: Send + Sync + 'static {
    /// That this process has begun, oldest first.
    async fn operations(&self, owner: &str) -> Result<Vec<OperationRow>>;

    /// Declares the process `dead` dead if its number is still `beat`, and makes `heir` its heir. Also gives `heir` the
    /// processes whose heir `dead` was. Raises the fencing numbers of the operations of all of them. False if `dead` is
    /// alive or has an heir already, and if `heir` itself was declared dead.
    async fn take_over(&self, dead: &str, beat: i64, heir: &str) -> Result<bool>;

    /// Removes an operation; false if it was taken over or has ended.
    async fn end_operation(&self, operation: &OperationRow) -> Result<bool>;
}

pub(super) const INSERT: &str = "
    INSERT INTO operations (id, kind, owner, fence, delegation, target, trace_id, start_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const OF_OWNER: &str = "
    SELECT id, kind, owner, fence, delegation, target, trace_id, start_time FROM operations
    WHERE owner = $1 ORDER BY start_time, id";

/// Of what `$1` owns or inherited.
pub(super) const RAISE_FENCES: &str = "
    UPDATE operations SET fence = fence + 1
    WHERE owner = $1 OR owner IN (SELECT id FROM processes WHERE heir = $1)";

/// The operation while it is not taken over.
pub(super) const UNFENCED: &str = "SELECT id FROM operations WHERE id = $1 AND owner = $2 AND fence = $3";

pub(super) const REMOVE: &str = "DELETE FROM operations WHERE id = $1 AND owner = $2 AND fence = $3";
