//! Pruning: old events go, and a checkpoint keeps the place from which the chain is verified on.

use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::vault::Vault;

/// Nobody can wipe the trace of what they just did.
const YOUNGEST: i64 = 24 * 60 * 60 * 1_000_000;
/// Events that one transaction removes: appends wait for it.
const BATCH: i64 = 20_000;

/// What was removed.
pub(crate) struct Pruned {
    pub(crate) removed: i64,
    /// The oldest event that stays.
    pub(crate) first_sequence: i64,
}

impl Vault {
    /// Removes the oldest events up to the first one that is not older than `before`. Each batch has a checkpoint
    /// and an event of its own.
    pub(crate) async fn prune_audit(&self, caller: &Caller, before: i64) -> Result<Pruned> {
        if before > self.now() - YOUNGEST {
            return Err(Error::Field { field: "before", problem: "must be at least a day ago".into() });
        }
        let mut removed = 0;
        while let Some(prunable) = self.store.prunable(before, BATCH).await? {
            let event = self
                .event(caller, "audit.pruned", "")
                .with("before", before)
                .with("first_sequence", prunable.first)
                .with("last_sequence", prunable.last)
                .finish();
            let done = self.store.prune_events(prunable, self.now(), &event).await?;
            removed += done.unwrap_or(0);
        }
        let first_sequence = self.store.first_event().await?;
        Ok(Pruned { removed, first_sequence })
    }
}
