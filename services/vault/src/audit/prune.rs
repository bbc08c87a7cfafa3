//! Pruning: removes the oldest events; a checkpoint records where verification then starts.

use strongroom_runtime::Caller;

use super::{Audit, Event};
use crate::error::{Error, Result};

/// Minimum age of an event that can be removed, in microseconds: nobody can erase the trace of a recent act.
const YOUNGEST: i64 = 24 * 60 * 60 * 1_000_000;
/// Number of events that one transaction removes: appends wait for it.
const BATCH: i64 = 20_000;

/// The result of a pruning.
pub(crate) struct Pruned {
    pub(crate) removed: i64,
    /// The oldest remaining event.
    pub(crate) first_sequence: i64,
}

impl Audit {
    /// Removes the oldest events, up to the first one that is not older than `before`. Each batch has its own
    /// checkpoint and event.
    pub(crate) async fn prune(&self, caller: &Caller, before: i64) -> Result<Pruned> {
        if before > self.now() - YOUNGEST {
            return Err(Error::Field { field: "before", problem: "must be at least a day ago".into() });
        }
        let mut removed = 0;
        while let Some(prunable) = self.store.prunable(before, BATCH).await? {
            let event = Event::by(caller, self.now(), "audit.pruned", "")
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
