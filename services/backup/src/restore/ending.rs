//! How a restore ends that did not end by itself: it failed, or its process died.
//!
//! The target's own marker decides, because it was committed together with the rows: applied, or not. Until the target answers,
//! the restore stays as it is, and says why.

#[cfg(test)]
mod tests;

use std::time::Duration;

use strongroom_tables::Error as TablesError;
use strongroom_tables::load::RestoreState as Marker;

use super::Base;
use super::apply::applied;
use super::record::{Journal, StepName, journal_of, request_of};
use super::rollback::rolled_back;
use crate::backoff::Backoff;
use crate::error::{Error, RestoreError, Result};
use crate::failpoint;
use crate::sources::SqlSource;
use crate::store::{OperationRow, Replaced, RestoreRow, RestoreState};

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Ends restores.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(super) base: Base,
}

/// Why it did not end by itself.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    reason: &'static str,
    problem: String,
    /// Another process does it.
    is_taken_over: bool,
    /// The target had nothing of the restore, so that nothing was taken back.
    is_nothing_kept: bool,
}

impl From<&Error> for Cause {
    fn from(error: &Error) -> Self {
        let is_taken_over = matches!(error, Error::Fenced);
        let is_nothing_kept = matches!(error, Error::Tables(TablesError::NotApplied { .. }));
        Self { reason: error.reason(), problem: error.to_string(), is_taken_over, is_nothing_kept }
    }
}

impl Ending {
    /// Settles the restore of `operation`, tried until it is done or the process stops.
    pub(super) async fn settle(&self, operation: &OperationRow, cause: Cause) {
        let id = operation.id.as_str();
        if cause.is_taken_over {
            self.until_done(id, || self.clear(operation)).await;
            return;
        }
        self.until_done(id, || self.try_settle(operation, &cause)).await;
    }

    /// Whoever has taken the restore over may have settled it before this process began to stage.
    async fn clear(&self, operation: &OperationRow) -> Result<()> {
        let Some(row) = self.base.store.restore(restore_id(operation)).await? else { return Ok(()) };
        if row.state != RestoreState::Failed {
            return Ok(());
        }
        let request = request_of(&row)?;
        let source = request.sources.first().cloned().unwrap_or_default();
        let mut target = database(&self.base, &source)?.open_target().await?;
        let cleared = target.discard(&row.id, Marker::Staged).await;
        target.close().await;
        cleared?;
        Ok(())
    }

    /// Ends the operation itself, unless its restore is not settled: then somebody has to inherit it.
    pub(super) async fn end(&self, operation: &OperationRow) {
        let id = operation.id.as_str();
        self.until_done(id, || self.try_end(operation)).await;
        failpoint::reached("restore.ended");
    }

    async fn try_end(&self, operation: &OperationRow) -> Result<()> {
        let row = self.base.store.restore(restore_id(operation)).await?;
        if row.is_none_or(|row| !is_open(&operation.kind, row.state)) {
            self.base.store.end_operation(operation).await?;
        }
        Ok(())
    }

    /// One attempt. Whether the restore was applied, or was taken back, after all.
    ///
    /// # Errors
    /// The store's, and the target's as long as it does not answer.
    pub(super) async fn try_settle(&self, operation: &OperationRow, cause: &Cause) -> Result<bool> {
        let Some(row) = self.base.store.restore(restore_id(operation)).await? else { return Ok(false) };
        if !is_open(&operation.kind, row.state) {
            return Ok(has_done(&operation.kind, row.state));
        }
        let request = request_of(&row)?;
        let source = request.sources.first().cloned().unwrap_or_default();
        let found = self.marker(&row, &source).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.explain(&row, operation, &error).await?;
                return Err(error);
            }
        };
        let now = self.base.clock.now_micros();
        let mut ended = row.clone();
        let is_done = match (row.state, found) {
            (RestoreState::Applying, Some(Marker::Applied)) => {
                applied(&mut ended, now, &source, 0)?;
                true
            }
            (RestoreState::Applying, _) => {
                failed(&mut ended, now, cause);
                false
            }
            (_, None) if has_begun(&row)? && !cause.is_nothing_kept => {
                rolled_back(&mut ended, now, &source)?;
                true
            }
            (_, found) => {
                kept(&mut ended, cause, found.is_some());
                false
            }
        };
        self.replace(ended, row.revision, operation).await?;
        failpoint::reached("restore.settled");
        Ok(is_done)
    }

    /// What the target has, once nobody works on it any more. What is only staged is removed first; after a rollback that is
    /// what it could not remove any more. Before the stage began, the target has nothing.
    async fn marker(&self, row: &RestoreRow, source: &str) -> Result<Option<Marker>> {
        let Journal { steps, .. } = journal_of(row)?;
        if !steps.iter().any(|step| step.step == StepName::Staging) {
            return Ok(None);
        }
        let mut target = database(&self.base, source)?.open_target().await?;
        let found = async {
            target.end_sessions(&row.id).await?;
            let found = target.state_of(&row.id).await?;
            if found != Some(Marker::Staged) || target.discard(&row.id, Marker::Staged).await? {
                return Ok(found.filter(|found| *found == Marker::Applied));
            }
            target.state_of(&row.id).await
        };
        let found: strongroom_tables::Result<Option<Marker>> = found.await;
        target.close().await;
        Ok(found?)
    }

    /// Says in the row what is being waited for.
    async fn explain(&self, row: &RestoreRow, operation: &OperationRow, error: &Error) -> Result<()> {
        let problem = format!("how it ended cannot be found out yet, and is tried again: {error}");
        if row.problem == problem {
            return Ok(());
        }
        let mut told = row.clone();
        told.problem = problem;
        error.reason().clone_into(&mut told.reason);
        self.replace(told, row.revision, operation).await
    }

    async fn replace(&self, mut row: RestoreRow, expected: i64, operation: &OperationRow) -> Result<()> {
        row.revision = expected + 1;
        match self.base.store.replace_restore(&row, expected, Some(operation)).await? {
            Replaced::Done => Ok(()),
            // Whoever has taken it over settles it, and records what became of it.
            Replaced::Fenced => Err(Error::Fenced),
            Replaced::Stale => Err(RestoreError::Changed(row.id).into()),
        }
    }

    async fn until_done<T, F: Future<Output = Result<T>>>(&self, id: &str, step: impl Fn() -> F) {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.base.shutdown.clone());
        let mut has_said = false;
        loop {
            let Err(error) = step().await else { return };
            if matches!(error, Error::Fenced) {
                return;
            }
            if !std::mem::replace(&mut has_said, true) {
                tracing::warn!(id, %error, "the end of a restore cannot be recorded yet");
            }
            if !backoff.wait().await {
                return;
            }
        }
    }
}

/// The database of a configured source.
///
/// # Errors
/// [`Error::Config`] for one that is not configured any more.
pub(super) fn database<'a>(base: &'a Base, source: &str) -> Result<&'a SqlSource> {
    let found = base.sources.all().iter().find(|other| other.name() == source);
    let found = found.and_then(|source| source.database());
    found
        .ok_or_else(|| Error::Config(format!("source {source} is no database of the configuration any more")))
}

/// The restore that an operation is about.
pub(super) fn restore_id(operation: &OperationRow) -> &str {
    if is_rollback(&operation.kind) { &operation.target } else { &operation.id }
}

/// Whether an operation of `kind` is still to be settled. Once a restore is applied, another operation may take it back.
fn is_open(kind: &str, state: RestoreState) -> bool {
    state == if is_rollback(kind) { RestoreState::RollingBack } else { RestoreState::Applying }
}

/// Whether an operation of `kind` that is settled has done what it was for.
fn has_done(kind: &str, state: RestoreState) -> bool {
    if is_rollback(kind) { state == RestoreState::RolledBack } else { state != RestoreState::Failed }
}

fn is_rollback(kind: &str) -> bool {
    kind == super::ROLLBACK.name
}

/// Whether a rollback may have committed: the step is recorded once the target was seen to have what it needs.
fn has_begun(row: &RestoreRow) -> Result<bool> {
    Ok(journal_of(row)?.steps.last().is_some_and(|step| step.step == StepName::RollingBack))
}

/// A restore that stays applied. Without its marker it cannot be taken back any more.
fn kept(row: &mut RestoreRow, cause: &Cause, has_marker: bool) {
    row.state = RestoreState::Applied;
    cause.reason.clone_into(&mut row.reason);
    row.problem = format!("it was not taken back: {}", cause.problem);
    row.progress.clear();
    if !has_marker {
        row.rollback_time = None;
    }
}

fn failed(row: &mut RestoreRow, now: i64, cause: &Cause) {
    row.state = RestoreState::Failed;
    row.end_time = Some(now);
    cause.reason.clone_into(&mut row.reason);
    cause.problem.clone_into(&mut row.problem);
    row.progress.clear();
}
