//! Goes back: undoes the swaps of a restore, and removes its stages.

use super::Base;
use super::journal::Journal;
use super::record::{Request, StepName, journal_of, request_of};
use super::target::{Marker, Target};
use super::waiting::{is_not_ours, of_source, postponed};
use crate::error::{RestoreError, Result};
use crate::store::{OperationRow, RestoreRow, RestoreState};
use strongroom_runtime::failpoint;

pub(super) struct Back<'a> {
    pub(super) base: &'a Base,
}

impl Back<'_> {
    /// One attempt to continue a rollback that has begun. If it fails, the restore records the reason.
    ///
    /// # Errors
    /// Errors of the sources.
    pub(super) async fn go(&self, row: RestoreRow, operation: &OperationRow) -> Result<()> {
        let request = request_of(&row)?;
        let discard_changes = journal_of(&row)?.discard_changes;
        let journal = Journal::of(self.base, operation, row);
        let going = |row: &mut RestoreRow, _| {
            row.state = RestoreState::RollingBack;
            Ok(())
        };
        let row = journal.change_state(going).await?;
        failpoint::reached("back.begun");
        match Box::pin(self.all(&row.id, &request, &journal, (discard_changes, true))).await {
            Ok(_) => journal.change_state(rolled_back).await.map(drop),
            Err(error) => Err(postponed(self.base, &journal, error).await?),
        }
    }

    /// Rolls back every source, first those that cannot be checked in advance. Returns the number of rows and files.
    ///
    /// # Errors
    /// Errors of the sources. Sources already rolled back remain rolled back. If the rollback has begun (`has_begun`),
    /// all sources are tried, and the first error is returned.
    pub(super) async fn all(
        &self,
        id: &str,
        request: &Request,
        journal: &Journal,
        (discard_changes, has_begun): (bool, bool),
    ) -> Result<u64> {
        let (mut rows, mut failed) = (0, None);
        for source in self.order(request)? {
            match Box::pin(self.one((id, request), source, journal, discard_changes)).await {
                Ok(of_source) => rows += of_source,
                Err(error) => {
                    let error = of_source(source, request, error);
                    if !has_begun || is_not_ours(&error) {
                        return Err(error);
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(rows), Err)
    }

    pub(super) fn order<'a>(&self, request: &'a Request) -> Result<Vec<&'a String>> {
        let mut order = Vec::with_capacity(request.sources.len());
        for source in &request.sources {
            let place = match Target::of(self.base, source)? {
                Target::Service(_) => 0,
                Target::Database(_) => 1,
                Target::Files(_) => 2,
            };
            order.push((place, source));
        }
        order.sort_by_key(|(place, _)| *place);
        Ok(order.into_iter().map(|(_, source)| source).collect())
    }

    async fn one(
        &self,
        (id, request): (&str, &Request),
        source: &str,
        journal: &Journal,
        discard_changes: bool,
    ) -> Result<u64> {
        let target = Target::of(self.base, source)?;
        let last = journal.last(source).await?;
        match target.final_marker(id).await? {
            Some(Marker::Applied | Marker::Swapping) => {
                if last != Some(StepName::RollingBack) {
                    journal.step(source, StepName::RollingBack).await?;
                }
                failpoint::reached("rollback.begun");
                let rows = target.roll_back((id, request), discard_changes).await?;
                failpoint::reached("rollback.done");
                journal.step(source, StepName::RolledBack).await?;
                Ok(rows)
            }
            None if last == Some(StepName::Swapped) && !discard_changes => {
                let (name, restore) = (source.to_owned(), id.to_owned());
                Err(strongroom_tables::Error::NotApplied { name, restore }.into())
            }
            found => {
                // Remains of a rollback are removed like a stage.
                let is_clean = found.is_none() && !target.may_have_remains();
                if !is_clean && !target.discard((id, request), Marker::Staged).await? {
                    return Err(RestoreError::Changed(id.to_owned()).into());
                }
                match last {
                    Some(StepName::RolledBack | StepName::Discarded) => {}
                    Some(StepName::RollingBack) => journal.step(source, StepName::RolledBack).await?,
                    _ => journal.step(source, StepName::Discarded).await?,
                }
                Ok(0)
            }
        }
    }
}

/// Updates the row of a restore that was rolled back.
pub(super) fn rolled_back(row: &mut RestoreRow, now: i64) -> Result<()> {
    row.state = RestoreState::RolledBack;
    row.end_time = Some(now);
    row.rollback_time = None;
    row.progress.clear();
    row.reason.clear();
    row.problem.clear();
    Ok(())
}
