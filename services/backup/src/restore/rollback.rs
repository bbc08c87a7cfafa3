//! Rolls a restore back, from the data that each source has kept.
//!
//! Every source is checked first, so that none is rolled back if another one refuses.

use std::sync::Arc;

use strongroom_api::vault::v1::AuditOutcome;

use super::Base;
use super::back::{Back, rolled_back};
use super::journal::Journal;
use super::record::{Request, StepName};
use super::target::{Marker, Target};
use crate::error::{Error, RestoreError, Result};
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use strongroom_runtime::failpoint;

/// One restore being rolled back.
pub(super) struct RollingBack {
    pub(super) base: Base,
    pub(super) request: Request,
    pub(super) journal: Arc<Journal>,
    pub(super) id: String,
    pub(super) discard_changes: bool,
    /// It was not completely applied: all of it is removed.
    pub(super) is_incomplete: bool,
}

impl RollingBack {
    pub(super) async fn roll_back(self) -> Result<Ended<()>> {
        Box::pin(self.check()).await?;
        failpoint::reached("rollback.checked");
        let back = Back { base: &self.base };
        let all = back.all(&self.id, &self.request, &self.journal, (self.discard_changes, false));
        let rows = Box::pin(all).await?;
        self.journal.change_state(rolled_back).await?;
        failpoint::reached("rollback.recorded");
        let mut metadata = Metadata::new();
        put(&mut metadata, "rows", rows);
        put(&mut metadata, "discard_changes", self.discard_changes);
        let size = Size { bytes: 0, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
    }

    /// After this check, a source without a marker was rolled back already, or was never swapped. A refusal names all
    /// sources that have changed: `discard_changes` discards the changes of each of them.
    async fn check(&self) -> Result<()> {
        let mut changed = Vec::new();
        for source in &self.request.sources {
            let target = Target::of(&self.base, source)?;
            match target.marker(&self.id).await? {
                Some(Marker::Applied | Marker::Swapping) => {
                    if self.request.sources.len() > 1 {
                        match target.check_roll_back(&self.id, self.discard_changes).await {
                            Err(error) if error.is_changed_since() => changed.push(error),
                            checked => checked?,
                        }
                    }
                }
                _ if self.may_lack(source).await? => {}
                _ => {
                    let (name, restore) = (source.clone(), self.id.clone());
                    return Err(strongroom_tables::Error::NotApplied { name, restore }.into());
                }
            }
        }
        none_changed(changed)
    }

    /// Whether a source can be without anything of the restore: it was not swapped yet, or was rolled back already.
    async fn may_lack(&self, source: &str) -> Result<bool> {
        Ok(match self.journal.last(source).await? {
            Some(StepName::RolledBack | StepName::Discarded) => true,
            Some(StepName::Swapped) => self.is_incomplete && self.discard_changes,
            _ => self.is_incomplete,
        })
    }
}

/// Fails with one error for all sources that have changed.
fn none_changed(mut changed: Vec<Error>) -> Result<()> {
    if changed.len() < 2 {
        return changed.pop().map_or(Ok(()), Err);
    }
    let problems: Vec<String> = changed.iter().map(ToString::to_string).collect();
    Err(RestoreError::ChangedSince { problems: problems.join("; "), reason: changed[0].reason() }.into())
}
