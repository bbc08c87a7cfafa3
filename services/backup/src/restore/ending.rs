//! Ends a restore that did not complete by itself: it failed, or its process died.
//!
//! The sources' own markers decide. If no source has been swapped, all stages are removed, and the restore has failed.
//! Once a source has been swapped, there is only one direction: forward until all sources are swapped
//! ([`super::forward`]), or, in a rollback, back until none is ([`super::back`]). Until the sources answer, the restore
//! keeps its state and records the reason.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::time::Duration;

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_tables::Error as TablesError;

use super::back::Back;
use super::forward::Forward;
use super::record::{Journal, Request, StepName, journal_of, request_of};
use super::target::{Marker, Target};
use super::{APPLY, Base, ROLLBACK};
use crate::backoff::Backoff;
use crate::error::{Error, RestoreError, Result};
use crate::metrics::Size;
use crate::operation::{AuditRecord, Ended, Metadata, put};
use crate::store::{OperationRow, Replaced, RestoreRow, RestoreState};
use strongroom_runtime::failpoint;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Ends restores.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(super) base: Base,
}

/// The reason why it did not complete by itself.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    reason: &'static str,
    problem: String,
    /// Another process has taken over.
    is_taken_over: bool,
    /// The target had nothing of the restore, so nothing was rolled back.
    is_nothing_kept: bool,
}

impl From<&Error> for Cause {
    fn from(error: &Error) -> Self {
        let is_taken_over = matches!(error, Error::Fenced);
        let is_nothing_kept = matches!(error, Error::Tables(TablesError::NotApplied { .. }));
        Self { reason: error.reason(), problem: error.to_string(), is_taken_over, is_nothing_kept }
    }
}

/// The result of settling a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is settled; the value says whether the operation's goal was reached.
    Done(bool),
    /// This process ends first.
    Stopped,
    /// Another process has taken over.
    Fenced,
}

/// The marker of a source that may have something of the restore.
struct Found<'a> {
    source: &'a str,
    marker: Result<Option<Marker>>,
}

impl Ending {
    /// Settles a restore whose operation failed with `error`, and returns a successful end if its goal is reached after
    /// all.
    ///
    /// # Errors
    /// `error`.
    pub(super) async fn finish(&self, operation: &OperationRow, error: Error) -> Result<Ended<()>> {
        match self.settle(operation, &(&error).into()).await {
            Settled::Done(true) => {
                let (metadata, size) = (Metadata::new(), Size { bytes: 0, rows: 0 });
                Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
            }
            Settled::Done(false) => Err(error),
            Settled::Stopped => Err(Error::ShuttingDown),
            Settled::Fenced => Err(Error::Fenced),
        }
    }

    /// Settles the restore of `operation`, with retries until it is done.
    pub(super) async fn settle(&self, operation: &OperationRow, cause: &Cause) -> Settled {
        let id = operation.id.as_str();
        if cause.is_taken_over {
            let _ = self.until_done(id, || self.clear(operation)).await;
            return Settled::Fenced;
        }
        let settled = self.until_done(id, || self.try_settle(operation, cause)).await;
        self.base.waiting.remove(restore_id(operation));
        match settled {
            Ok(is_done) => Settled::Done(is_done),
            Err(Error::Fenced) => Settled::Fenced,
            Err(_) => Settled::Stopped,
        }
    }

    /// Settles the restore in a process that is about to end, or was declared dead, and records the closing event if
    /// that is still missing. If the process ends before this is done, the rest is left to its heir.
    pub(super) async fn hand_on(&self, operation: &OperationRow, cause: &Cause, is_recorded: bool) {
        let settled = self.settle(operation, cause).await;
        if let (false, Settled::Done(is_done)) = (is_recorded, settled) {
            let stopped = Error::ShuttingDown;
            self.record(operation, if is_done { None } else { Some(&stopped) }).await;
        }
    }

    /// Removes what this process has staged for a restore that failed or was rolled back: the process that took over
    /// the restore may have settled it before this process began to stage.
    async fn clear(&self, operation: &OperationRow) -> Result<()> {
        let Some(row) = self.base.store.restore(restore_id(operation)).await? else { return Ok(()) };
        if !matches!(row.state, RestoreState::Failed | RestoreState::RolledBack) {
            return Ok(());
        }
        let request = request_of(&row)?;
        for source in &request.sources {
            Target::of(&self.base, source)?.discard((&row.id, &request), Marker::Staged).await?;
        }
        Ok(())
    }

    /// Ends the operation if its restore is settled. Otherwise the operation stays open for an heir.
    pub(super) async fn end(&self, operation: &OperationRow) {
        let id = operation.id.as_str();
        let _ = self.until_done(id, || self.try_end(operation)).await;
        failpoint::reached("restore.ended");
    }

    async fn try_end(&self, operation: &OperationRow) -> Result<()> {
        let is_open = match self.base.store.restore(restore_id(operation)).await? {
            Some(row) => is_in_charge(&row, operation)?,
            None => false,
        };
        if !is_open {
            self.base.store.end_operation(operation).await?;
        }
        Ok(())
    }

    /// One attempt. Returns whether the operation's goal is reached after all.
    ///
    /// # Errors
    /// Errors of the store, and of sources while they do not answer.
    pub(super) async fn try_settle(&self, operation: &OperationRow, cause: &Cause) -> Result<bool> {
        let Some(row) = self.base.store.restore(restore_id(operation)).await? else { return Ok(false) };
        if !is_in_charge(&row, operation)? {
            return Ok(has_done(&operation.kind, row.state, journal_of(&row)?.was_incomplete));
        }
        let (request, journal) = (request_of(&row)?, journal_of(&row)?);
        let found = self.found(&row.id, &request, &journal).await;
        let settled = if journal.is_going_back {
            Box::pin(self.settle_rollback(row, operation, (&journal, &found), cause)).await
        } else {
            Box::pin(self.settle_application(row, operation, (&journal, &found), cause)).await
        };
        if settled.is_ok() {
            failpoint::reached("restore.settled");
        }
        settled
    }

    /// The markers of the sources whose staging has begun. Any other source has nothing of the restore.
    async fn found<'a>(&self, id: &str, request: &'a Request, journal: &Journal) -> Vec<Found<'a>> {
        let mut found = Vec::with_capacity(request.sources.len());
        for source in request.sources.iter().filter(|source| journal.has(source, StepName::Staging)) {
            let marker = match Target::of(&self.base, source) {
                Ok(target) => target.final_marker(id).await,
                Err(error) => Err(error),
            };
            found.push(Found { source, marker });
        }
        found
    }

    async fn settle_application(
        &self,
        row: RestoreRow,
        operation: &OperationRow,
        (journal, found): (&Journal, &[Found<'_>]),
        cause: &Cause,
    ) -> Result<bool> {
        let is_new = |found: &Found<'_>| {
            journal.has(found.source, StepName::Swapped)
                || matches!(found.marker, Ok(Some(Marker::Applied | Marker::Swapping)))
        };
        if found.iter().any(is_new) {
            Forward { base: &self.base }.go(row, operation).await?;
            return Ok(true);
        }
        if let Err(error) = self.remove((&row.id, &request_of(&row)?), found).await {
            self.explain(&row, operation, &error).await?;
            return Err(error);
        }
        let (mut ended, now) = (row.clone(), self.base.clock.now_micros());
        failed(&mut ended, now, cause);
        self.replace(ended, row.revision, operation).await?;
        Ok(false)
    }

    async fn settle_rollback(
        &self,
        row: RestoreRow,
        operation: &OperationRow,
        (journal, found): (&Journal, &[Found<'_>]),
        cause: &Cause,
    ) -> Result<bool> {
        // The step is recorded only after the source was seen to have the data that a rollback needs.
        let is_old = |found: &Found<'_>| match journal.last(found.source) {
            Some(StepName::RolledBack | StepName::Discarded) => true,
            Some(StepName::RollingBack) => {
                !cause.is_nothing_kept && matches!(found.marker, Ok(None | Some(Marker::Staged)))
            }
            _ => false,
        };
        if journal.was_incomplete || found.iter().any(is_old) {
            Back { base: &self.base }.go(row, operation).await?;
            return Ok(true);
        }
        if let Some(error) = found.iter().find_map(|found| found.marker.as_ref().err()) {
            self.explain(&row, operation, error).await?;
            return Err(RestoreError::Unsettled(error.to_string()).into());
        }
        let mut ended = row.clone();
        let has_markers = found.iter().all(|found| matches!(found.marker, Ok(Some(_))));
        kept(&mut ended, cause, has_markers);
        self.replace(ended, row.revision, operation).await?;
        Ok(false)
    }

    /// Removes every stage.
    async fn remove(&self, (id, request): (&str, &Request), found: &[Found<'_>]) -> Result<()> {
        for Found { source, marker } in found {
            let found = marker.as_ref().map_err(|error| RestoreError::Unsettled(error.to_string()))?;
            let target = Target::of(&self.base, source)?;
            let is_clean = found.is_none() && !target.may_have_remains();
            if !is_clean && !target.discard((id, request), Marker::Staged).await? {
                return Err(RestoreError::Changed(id.to_owned()).into());
            }
        }
        Ok(())
    }

    /// Records the reason for waiting in the row.
    async fn explain(&self, row: &RestoreRow, operation: &OperationRow, error: &Error) -> Result<()> {
        let problem = format!("its outcome cannot be determined yet; trying again: {error}");
        if row.problem == problem {
            return Ok(());
        }
        self.base.waiting.add(&row.id);
        let mut told = row.clone();
        told.problem = problem;
        error.reason().clone_into(&mut told.reason);
        self.replace(told, row.revision, operation).await
    }

    async fn replace(&self, mut row: RestoreRow, expected: i64, operation: &OperationRow) -> Result<()> {
        row.revision = expected + 1;
        match self.base.store.replace_restore(&row, expected, Some(operation)).await? {
            Replaced::Done => Ok(()),
            // The process that took over settles it, and records the result.
            Replaced::Fenced => Err(Error::Fenced),
            Replaced::Stale => Err(RestoreError::Changed(row.id).into()),
        }
    }

    /// Records the end of an operation that was handed on.
    pub(super) async fn record(&self, operation: &OperationRow, error: Option<&Error>) {
        let kind = if is_rollback(&operation.kind) { &ROLLBACK } else { &APPLY };
        let mut metadata = Metadata::new();
        put(&mut metadata, "restore_id", restore_id(operation));
        let record = AuditRecord::of_another(self.base.vault.clone(), kind, operation).with(metadata);
        if let Err(error) = record.settled(error).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a restore that was handed on could not be recorded in the audit log yet");
        }
    }

    /// # Errors
    /// [`Error::Fenced`], and [`Error::ShuttingDown`] if this process ends before it is done.
    async fn until_done<T, F: Future<Output = Result<T>>>(
        &self,
        id: &str,
        step: impl Fn() -> F,
    ) -> Result<T> {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.base.shutdown.clone());
        let mut has_said = false;
        loop {
            let error = match step().await {
                Ok(done) => return Ok(done),
                Err(Error::Fenced) => return Err(Error::Fenced),
                Err(error) => error,
            };
            if !std::mem::replace(&mut has_said, true) {
                tracing::warn!(id, %error, "a restore cannot be brought to its end yet; trying again");
            }
            if !backoff.wait().await {
                return Err(Error::ShuttingDown);
            }
        }
    }
}

/// The restore to which an operation belongs.
pub(super) fn restore_id(operation: &OperationRow) -> &str {
    if is_rollback(&operation.kind) { &operation.target } else { &operation.id }
}

/// Whether this operation must bring the restore to its end: another one may have begun to roll it back.
fn is_in_charge(row: &RestoreRow, operation: &OperationRow) -> Result<bool> {
    Ok(row.state.is_busy() && journal_of(row)?.operation == operation.id)
}

/// Whether an operation of `kind` that is no longer in charge has reached its goal. A restore that was rolled back may
/// have been applied before, or was incomplete.
fn has_done(kind: &str, state: RestoreState, was_incomplete: bool) -> bool {
    match state {
        RestoreState::RolledBack => is_rollback(kind) || !was_incomplete,
        RestoreState::Applied => !is_rollback(kind),
        _ => false,
    }
}

fn is_rollback(kind: &str) -> bool {
    kind == ROLLBACK.name
}

/// Updates the row of a restore that stays applied. Without its markers, it can no longer be rolled back.
fn kept(row: &mut RestoreRow, cause: &Cause, has_markers: bool) {
    row.state = RestoreState::Applied;
    cause.reason.clone_into(&mut row.reason);
    row.problem = format!("it was not rolled back: {}", cause.problem);
    row.progress.clear();
    if !has_markers {
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
