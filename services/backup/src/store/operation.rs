//! Operations on stored backups that a process is working on.
//!
//! An operation belongs to one process at a time: to its owner, or to the owner's heir once the owner was declared
//! dead. Each take-over increases the fencing number: later writes of the previous process carry the old number and are
//! refused.

use std::fmt;

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

/// An operation that has not ended.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub(crate) struct OperationRow {
    /// Also the operation id of its audit events. For an operation that makes a backup, the backup's id.
    pub(crate) id: String,
    /// The kind's name, as in metrics and logs: `create`.
    pub(crate) kind: String,
    /// The process that began it.
    pub(crate) owner: String,
    /// Starts at 1.
    pub(crate) fence: i64,
    /// Delegation of the caller, so that whichever process ends it can name the caller in the audit log.
    pub(crate) delegation: Vec<u8>,
    /// Target of its audit events, usually a file's name.
    pub(crate) target: String,
    pub(crate) trace_id: String,
    pub(crate) start_time: i64,
}

/// Omits the delegation, which grants a right.
impl fmt::Debug for OperationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, owner, fence, target, .. } = self;
        write!(f, "OperationRow({kind} {id} of {target:?}, owner {owner}, fence {fence})")
    }
}

#[async_trait]
pub(crate) trait OperationStore: Send + Sync + 'static {
    /// The operations that this process has begun, oldest first.
    async fn operations(&self, owner: &str) -> Result<Vec<OperationRow>>;

    /// Declares the process `dead` dead if its counter is still `beat`, and makes `heir` its heir. Also gives `heir`
    /// the processes whose heir `dead` was. Increases the fencing numbers of the operations of all of them. False if
    /// `dead` is alive or has an heir already, or if `heir` itself was declared dead.
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

/// Applies to operations that `$1` owns or has inherited.
pub(super) const RAISE_FENCES: &str = "
    UPDATE operations SET fence = fence + 1
    WHERE owner = $1 OR owner IN (SELECT id FROM processes WHERE heir = $1)";

/// The operation, if it was not taken over.
pub(super) const UNFENCED: &str = "SELECT id FROM operations WHERE id = $1 AND owner = $2 AND fence = $3";

pub(super) const REMOVE: &str = "DELETE FROM operations WHERE id = $1 AND owner = $2 AND fence = $3";
