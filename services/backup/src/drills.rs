//! Restore drills: a stored backup is restored into a database of its own, everything that came back is checked, and the
//! database is dropped.
//!
//! A backup that was only verified is bytes that are intact; one that was drilled is known to restore. [`drilling`] is the work:
//! the archive is verified, then each database is created ([`scratch`]), filled as by any restore, and held against fixed
//! [`assertions`]. What was found is the [`evidence`], which is kept with the drill and in the audit log. One drill runs at a
//! time; that of a dead process is ended by its heir ([`inheritance`]).

mod assertions;
mod drilling;
pub(crate) mod error;
pub(crate) mod evidence;
mod inheritance;
mod rows;
mod scratch;

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::{Caller, Clock};
use uuid::Uuid;

use crate::backups::Catalogue;
use crate::backups::record::{Content, from_json, to_json};
use crate::error::{DrillError, Error, Result};
use crate::membership::{Member, Membership};
use crate::metrics::{KindMetrics, Size};
use crate::operation::{AuditRecord, Ended, Kind, Limits, Metadata, Operations, put};
use crate::restore::Archives;
use crate::sources::Sources;
use crate::store::{
    BackupFilter, BackupState, CopyState, DrillRow, DrillState, OperationRow, Replaced, Store, StoredBackup,
};
use crate::vault_client::VaultClient;
use crate::verification::Verifier;
use drilling::Drilling;
use evidence::{Evidence, Outcome};
pub(crate) use inheritance::Inheritance;
pub(crate) use scratch::ScratchPlaces;
use strongroom_runtime::failpoint;

/// Drills among the operations.
pub(crate) static KIND: Kind = Kind {
    name: "drill",
    started: None,
    ended: "backup.drilled",
    keeps: false,
    hands_on: false,
    queue: 1,
    busy: |_| Error::Drill(DrillError::Busy("of this process".to_owned())),
    too_long: |seconds| Error::Drill(DrillError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// The reason of a drill with a check that has failed.
const FAILED: &str = "DRILL_FAILED";

/// Checks that an event names: what did not pass comes first.
const MOST_NAMED: usize = 50;

/// What everything about drills uses.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) catalogue: Catalogue,
    pub(crate) archives: Arc<Archives>,
    pub(crate) verifier: Verifier,
    pub(crate) places: ScratchPlaces,
}

/// Everything about drills in one process. Clones share it.
#[derive(Clone)]
pub(crate) struct Drills {
    base: Base,
    membership: Arc<Membership>,
    operations: Arc<Operations>,
}

impl Drills {
    /// With none running. `limits` and `metrics` are those of [`KIND`].
    pub(crate) fn create(
        base: Base,
        membership: Arc<Membership>,
        limits: Limits,
        metrics: KindMetrics,
    ) -> Self {
        let operations = Arc::new(Operations::create(&KIND, Limits { concurrent: 1, ..limits }, metrics));
        Self { base, membership, operations }
    }

    /// Refuses a configuration in which not every database has a place to be restored to: what is left out proves nothing.
    ///
    /// # Errors
    /// [`DrillError::NoScratch`].
    pub(crate) fn check_places(&self) -> Result<()> {
        self.base.places.check(&self.base.sources)
    }

    /// Begins a drill of the backup, or of the newest one where `id` is empty.
    ///
    /// # Errors
    /// [`DrillError::NoScratch`], [`DrillError::NoBackup`], [`DrillError::Busy`], [`Error::BackupNotFound`], and
    /// [`Error::BackupState`] for one that is not available.
    pub(crate) async fn begin(&self, caller: &Caller, id: &str) -> Result<DrillRow> {
        self.check_places()?;
        let backup = self.backup(id).await?;
        if let Some(running) = self.base.store.running_drill().await? {
            return Err(DrillError::Busy(running.id).into());
        }
        let permit = self.operations.admit()?;
        let member = self.membership.current();
        let row = self.row(caller, &backup);
        let operation = operation(caller, &row, &member);
        match self.base.store.begin_drill(&row, &operation).await? {
            Replaced::Done => {}
            Replaced::Fenced => return Err(Error::Fenced),
            Replaced::Stale => {
                let running = self.base.store.running_drill().await?;
                let id = running.map_or_else(|| "that has just ended".to_owned(), |running| running.id);
                return Err(DrillError::Busy(id).into());
            }
        }
        let content = from_json(&backup.row.content);
        self.start((permit, member), caller, (&row, operation), content);
        Ok(row)
    }

    fn start(
        &self,
        (permit, member): (impl Send + 'static, Arc<Member>),
        caller: &Caller,
        (row, operation): (&DrillRow, OperationRow),
        content: Content,
    ) {
        let vault = self.base.vault.clone();
        let record =
            AuditRecord::create(vault, &KIND, caller, &operation.id, &operation.target).with(describe(row));
        let found: Arc<Mutex<Evidence>> = Arc::default();
        let (base, row) = (self.base.clone(), row.clone());
        let drilling = Drilling { base, row: row.clone(), content, found: Arc::clone(&found) };
        let (keeping, kept) = (self.base.store.clone(), operation.clone());
        let work = move |stop| async move {
            member.until_lost(drilling.run(stop)).await?;
            let evidence = drilling.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let checked = DrillRow { evidence: to_json(&evidence), ..drilling.row };
            if !keeping.keep_evidence(&checked, &kept).await? {
                return Err(Error::Fenced);
            }
            failpoint::reached("drill.checked");
            Ok(ended(&evidence))
        };
        let failed: Arc<Mutex<Option<Failure>>> = Arc::default();
        let failing = Arc::clone(&failed);
        let undo = move |error: &Error| {
            *failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Failure::of(error));
            async {}
        };
        let ending = self.base.clone();
        let done = async move {
            failpoint::reached("drill.recorded");
            let failure = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            let evidence = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Its heir ends what was taken over.
            if failure.as_ref().is_some_and(|failure| failure.is_fenced) {
                return;
            }
            if let Err(error) = ending.end(row, &operation, (evidence, failure)).await {
                let id = operation.id.as_str();
                tracing::warn!(id, %error, "a drill cannot be ended; another process does it when this one stops");
            }
            failpoint::reached("drill.ended");
        };
        self.operations.start_detached(permit, record, work, undo, done);
    }

    /// # Errors
    /// [`DrillError::NotFound`].
    pub(crate) async fn get(&self, id: &str) -> Result<DrillRow> {
        let found = self.base.store.drill(id).await?;
        found.ok_or_else(|| DrillError::NotFound(id.to_owned()).into())
    }

    /// Newest first, at most `limit`, only older than `before`.
    pub(crate) async fn list(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<DrillRow>> {
        Ok(self.base.store.drills(before, limit).await?)
    }

    /// Who ends the drills of dead processes.
    pub(crate) fn inheritance(&self) -> Inheritance {
        Inheritance { base: self.base.clone() }
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }

    async fn backup(&self, id: &str) -> Result<StoredBackup> {
        if !id.is_empty() {
            let backup = self.base.catalogue.get(id).await?;
            if backup.row.state == BackupState::Available {
                return Ok(backup);
            }
            let (id, state) = (id.to_owned(), backup.row.state.as_str());
            return Err(Error::BackupState { id, state, wish: "only one that is available can be drilled" });
        }
        let filter = BackupFilter { states: vec![BackupState::Available], ..BackupFilter::default() };
        let newest = self.base.catalogue.list(&filter, 100).await?;
        let is_stored =
            |backup: &StoredBackup| backup.copies.iter().any(|copy| copy.state == CopyState::Stored);
        newest.into_iter().find(is_stored).ok_or_else(|| DrillError::NoBackup.into())
    }

    fn row(&self, caller: &Caller, backup: &StoredBackup) -> DrillRow {
        DrillRow {
            id: Uuid::now_v7().to_string(),
            backup_id: backup.row.id.clone(),
            file_name: backup.row.file_name.clone(),
            schedule: backup.row.schedule.clone(),
            state: DrillState::Running,
            creator: caller.principal.id.clone(),
            create_time: self.base.clock.now_micros(),
            end_time: None,
            reason: String::new(),
            problem: String::new(),
            evidence: String::new(),
        }
    }
}

fn operation(caller: &Caller, row: &DrillRow, member: &Member) -> OperationRow {
    OperationRow {
        id: row.id.clone(),
        kind: KIND.name.to_owned(),
        owner: member.id.clone(),
        fence: 1,
        delegation: caller.principal.delegation.expose().to_vec(),
        target: row.file_name.clone(),
        trace_id: caller.trace_id.clone(),
        start_time: row.create_time,
    }
}

/// Why a drill could not come to its end.
struct Failure {
    reason: &'static str,
    problem: String,
    is_fenced: bool,
}

impl Failure {
    fn of(error: &Error) -> Self {
        let is_fenced = matches!(error, Error::Fenced);
        Self { reason: error.reason(), problem: error.to_string(), is_fenced }
    }
}

impl Base {
    /// Drops what a drill has left, and keeps how it has ended.
    ///
    /// # Errors
    /// The store's.
    async fn end(
        &self,
        row: DrillRow,
        operation: &OperationRow,
        (evidence, failure): (Evidence, Option<Failure>),
    ) -> Result<()> {
        let left = self.places.clear(&row.id).await.err().as_ref().map(Failure::of);
        let failed = verdict(&evidence).as_ref().map(Failure::of);
        let (state, failure) = match (failure.or(left), failed) {
            (Some(failure), _) => (DrillState::NotDone, Some(failure)),
            (None, Some(failed)) if failed.reason == FAILED => (DrillState::Failed, Some(failed)),
            (None, Some(failed)) => (DrillState::NotDone, Some(failed)),
            (None, None) => (DrillState::Passed, None),
        };
        let (reason, problem) = failure.map(|failure| (failure.reason, failure.problem)).unwrap_or_default();
        let ended = DrillRow {
            state,
            end_time: Some(self.clock.now_micros()),
            reason: reason.to_owned(),
            problem,
            evidence: to_json(&evidence),
            ..row
        };
        self.store.end_drill(&ended, operation).await?;
        Ok(())
    }
}

/// Why a drill that came to its end has not passed.
fn verdict(evidence: &Evidence) -> Option<Error> {
    match evidence.problem() {
        Some(problem) => Some(DrillError::Failed(problem).into()),
        None => (!evidence.has_restored()).then(|| DrillError::NothingRestored.into()),
    }
}

fn describe(row: &DrillRow) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "backup_id", row.backup_id.as_str());
    if let Some(schedule) = &row.schedule {
        put(&mut metadata, "schedule", schedule.as_str());
    }
    metadata
}

/// The closing event has the evidence.
fn ended(evidence: &Evidence) -> Ended<()> {
    let mut metadata = Metadata::new();
    let failure = verdict(evidence);
    if let Some(error) = &failure {
        put(&mut metadata, "reason", error.reason());
    }
    let mut checks: Vec<_> = evidence.checks.iter().collect();
    checks.sort_by_key(|check| check.outcome == Outcome::Passed);
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
    let outcome = if failure.is_none() { AuditOutcome::Success } else { AuditOutcome::Failed };
    let size = Size { bytes: 0, rows: evidence.rows };
    Ended { outcome, metadata, replies: Vec::new(), size }
}
