//! Records the end of a drill: derives the result from its evidence, for its row and the audit log.

use std::time::Duration;

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::Shutdown;

use super::Base;
use super::evidence::{Evidence, Outcome};
use crate::backoff::Backoff;
use crate::backups::record::to_json;
use crate::error::{DrillError, Error};
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use crate::store::{DrillRow, DrillState, OperationRow};

/// The reason of a drill with a failed check.
const FAILED: &str = "DRILL_FAILED";
/// Maximum number of checks that an event names: those that did not pass come first.
const MOST_NAMED: usize = 50;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The reason why a drill has not passed.
pub(super) struct Verdict {
    pub(super) reason: String,
    pub(super) problem: String,
}

impl Verdict {
    pub(super) fn of(error: &Error) -> Self {
        Self { reason: error.reason().to_owned(), problem: error.to_string() }
    }
}

/// The reason why a drill with this evidence has not passed. A failed check takes precedence over an error that ended
/// the drill later.
pub(super) fn verdict(evidence: &Evidence) -> Option<Verdict> {
    if let Some(problem) = evidence.problem() {
        return Some(Verdict::of(&DrillError::Failed(problem).into()));
    }
    if !evidence.reason.is_empty() {
        return Some(Verdict { reason: evidence.reason.clone(), problem: evidence.problem.clone() });
    }
    (!evidence.has_restored()).then(|| Verdict::of(&DrillError::NothingRestored.into()))
}

impl Base {
    /// Stores the end of a drill; retries until it is stored, another process has stored it, or this process stops.
    pub(super) async fn end(
        &self,
        row: DrillRow,
        operation: &OperationRow,
        evidence: &Evidence,
        shutdown: Shutdown,
    ) {
        let row = self.ended(row, evidence);
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, shutdown);
        while let Err(error) = self.store.end_drill(&row, operation).await {
            let id = row.id.as_str();
            tracing::warn!(id, %error, "the end of a drill cannot be recorded yet");
            if !backoff.wait().await {
                return;
            }
        }
    }

    /// The row of a drill that ended with this evidence.
    pub(super) fn ended(&self, row: DrillRow, evidence: &Evidence) -> DrillRow {
        let (state, verdict) = match verdict(evidence) {
            None => (DrillState::Passed, None),
            Some(verdict) if verdict.reason == FAILED => (DrillState::Failed, Some(verdict)),
            Some(verdict) => (DrillState::NotDone, Some(verdict)),
        };
        let (reason, problem) = verdict.map(|verdict| (verdict.reason, verdict.problem)).unwrap_or_default();
        DrillRow {
            state,
            end_time: Some(self.clock.now_micros()),
            reason,
            problem,
            evidence: to_json(evidence),
            ..row
        }
    }
}

/// Metadata of all events of a drill.
pub(super) fn describe(row: &DrillRow) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "backup_id", row.backup_id.as_str());
    if let Some(schedule) = &row.schedule {
        put(&mut metadata, "schedule", schedule.as_str());
    }
    metadata
}

/// The closing event contains the evidence.
pub(super) fn closing(evidence: &Evidence) -> Ended<()> {
    let mut metadata = Metadata::new();
    let verdict = verdict(evidence);
    if let Some(verdict) = &verdict {
        put(&mut metadata, "reason", verdict.reason.as_str());
    }
    let mut checks: Vec<_> = evidence.checks.iter().collect();
    checks.sort_by_key(|check| match check.outcome {
        Outcome::Failed => 0,
        Outcome::Skipped => 1,
        Outcome::Passed => 2,
    });
    let named = checks.into_iter().take(MOST_NAMED).map(|check| {
        let outcome = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        serde_json::json!({
            "check": check.name, "source": check.source, "outcome": outcome, "ms": check.took / 1000,
        })
    });
    put(&mut metadata, "checks", named.collect::<Vec<_>>());
    put(&mut metadata, "rows", evidence.rows);
    let outcome = if verdict.is_none() { AuditOutcome::Success } else { AuditOutcome::Failed };
    let size = Size { bytes: 0, rows: evidence.rows };
    Ended { outcome, metadata, replies: Vec::new(), size }
}
