//! Restores: an archive's rows go back into a database that its applications go on using.
//!
//! A restore is planned ([`plan`]: the archive is verified and compared, nothing is changed), applied ([`apply`]: a backup
//! first, then rows are staged and swapped in) and can be taken back for a day ([`rollback`]). What is durable of it, in which
//! order, is the [`journal`]'s; what becomes of one whose process died, or that failed, is decided in [`ending`] by the
//! target's own marker. How rows get into a database is the business of `strongroom_tables::load`.

mod apply;
mod archive;
pub(crate) mod convert;
mod ending;
pub(crate) mod error;
mod inheritance;
mod journal;
mod loading;
mod plan;
pub(crate) mod record;
mod rollback;
mod safety;
mod selection;
mod tending;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_runtime::{Caller, Clock, Shutdown};

use crate::backups::{Catalogue, Creations};
use crate::error::{Error, RestoreError, Result};
use crate::membership::{Member, Membership};
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Metadata, Operations, Replies, put};
use crate::sources::Sources;
use crate::store::{Begun, OperationRow, RestoreRow, RestoreState, Store};
use crate::vault_client::{SigningKey, VaultClient};
use crate::verification::Verifier;
use apply::Applying;
pub(crate) use archive::Archives;
use ending::Ending;
pub(crate) use inheritance::Inheritance;
use journal::Journal;
use plan::Planning;
use record::{Origin, Request, RequestMode, request_of};
use rollback::RollingBack;
use safety::SafetyBackups;
pub(crate) use uploads::{ArchiveUploads, Arrived};

/// Plans among the operations.
pub(crate) static PLAN: Kind = Kind {
    name: "restore_plan",
    started: None,
    ended: "restore.planned",
    keeps: false,
    queue: 16,
    busy: |most| Error::Restore(RestoreError::PlansBusy(most)),
    too_long: |seconds| Error::Restore(RestoreError::PlanTooLong(seconds)),
    stalled: Error::ClientSilent,
};

/// Restores that are being applied, among the operations.
pub(crate) static APPLY: Kind = Kind {
    name: "restore",
    started: Some("restore.started"),
    ended: "restore.completed",
    keeps: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// Restores that are being taken back, among the operations.
pub(crate) static ROLLBACK: Kind = Kind {
    name: "restore_rollback",
    started: Some("restore.rollback_started"),
    ended: "restore.rolled_back",
    keeps: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// What everything about restores uses.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) archives: Arc<Archives>,
    pub(crate) verifier: Verifier,
    pub(crate) shutdown: Shutdown,
}

/// Everything about restores in one process. Clones share it.
#[derive(Clone)]
pub(crate) struct Restores {
    base: Base,
    membership: Arc<Membership>,
    safety: SafetyBackups,
    plans: Arc<Operations>,
    applications: Arc<Operations>,
    rollbacks: Arc<Operations>,
}

impl Restores {
    /// With none going on. `metrics` are those of [`PLAN`], [`APPLY`] and [`ROLLBACK`].
    pub(crate) fn create(
        base: Base,
        membership: Arc<Membership>,
        (creations, catalogue): (Arc<Creations>, Catalogue),
        limits: Limits,
        metrics: [KindMetrics; 3],
    ) -> Self {
        let [of_plans, of_applications, of_rollbacks] = metrics;
        let safety = SafetyBackups { creations, catalogue, sources: Arc::clone(&base.sources) };
        Self {
            base,
            membership,
            safety,
            plans: Arc::new(Operations::create(&PLAN, limits, of_plans)),
            applications: Arc::new(Operations::create(&APPLY, limits, of_applications)),
            rollbacks: Arc::new(Operations::create(&ROLLBACK, limits, of_rollbacks)),
        }
    }

    /// Archives that are sent up.
    pub(crate) fn uploads(&self) -> &ArchiveUploads {
        &self.base.archives.uploads
    }

    /// Plans a restore for `caller`. `signers` are trusted beside the vault's own keys.
    ///
    /// # Errors
    /// [`RestoreError::PlansBusy`]. What goes wrong later ends the replies.
    pub(crate) fn plan(
        &self,
        caller: &Caller,
        request: Request,
        signers: Vec<SigningKey>,
    ) -> Result<Replies<proto::PlanRestoreResponse>> {
        let permit = self.plans.admit()?;
        let id = uuid::Uuid::now_v7().to_string();
        let target = match &request.origin {
            Origin::Backup(id) | Origin::Upload(id) => id.clone(),
        };
        let record = AuditRecord::create(self.base.vault.clone(), &PLAN, caller, &id, &target);
        let base = self.base.clone();
        let work = |outlet, stop| Planning { base, request, signers, outlet, stop }.make();
        Ok(self.plans.start(permit, record, work, |_| async {}))
    }

    /// # Errors
    /// [`RestoreError::NotFound`].
    pub(crate) async fn get(&self, id: &str) -> Result<RestoreRow> {
        let found = self.base.store.restore(id).await?;
        found.ok_or_else(|| RestoreError::NotFound(id.to_owned()).into())
    }

    /// Newest first, at most `limit`, only older than `before`.
    pub(crate) async fn list(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<RestoreRow>> {
        Ok(self.base.store.restores(before, limit).await?)
    }

    /// Begins to apply a plan. Writers wait no longer than `max_pause`, if it is given.
    ///
    /// # Errors
    /// [`RestoreError::State`], [`RestoreError::PlanExpired`], [`RestoreError::TargetBusy`], [`RestoreError::Busy`],
    /// [`Error::Field`] for `confirm`.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        id: &str,
        confirm: &str,
        max_pause: Option<Duration>,
    ) -> Result<RestoreRow> {
        let permit = self.applications.admit()?;
        let before = self.get(id).await?;
        check_state(
            &before,
            RestoreState::Planned,
            "only one that is planned and not refused can be applied",
        )?;
        if before.expire_time <= self.base.clock.now_micros() {
            return Err(RestoreError::PlanExpired(id.to_owned()).into());
        }
        let request = request_of(&before)?;
        check_confirmation(&request, confirm)?;
        let member = self.membership.current();
        let operation = self.operation(caller, &APPLY, (id, &request.archive.file_name), &member);
        let row = self.begin(&before, RestoreState::Applying, (&request, &operation)).await?;
        let record =
            AuditRecord::create(self.base.vault.clone(), &APPLY, caller, id, &request.archive.file_name)
                .with(describe(&request, id))
                .with_at_start("instance", member.id.as_str());
        let applying = Applying {
            base: self.base.clone(),
            safety: self.safety.clone(),
            caller: caller.clone(),
            request,
            journal: self.journal(&row, &operation),
            id: id.to_owned(),
            max_pause,
        };
        let (failing, ending) = (self.ending(), self.ending());
        let failed = operation.clone();
        let lost = Arc::clone(&member);
        self.applications.start_detached(
            (permit, member),
            record,
            |_stop| async move { lost.until_lost(applying.apply()).await },
            move |error: &Error| {
                let ended = error.into();
                async move { failing.settle(&failed, ended).await }
            },
            async move { ending.end(&operation).await },
        );
        Ok(row)
    }

    /// Begins to take a restore back.
    ///
    /// # Errors
    /// [`RestoreError::State`], [`RestoreError::RollbackExpired`], [`RestoreError::TargetBusy`], [`RestoreError::Busy`].
    pub(crate) async fn roll_back(
        &self,
        caller: &Caller,
        id: &str,
        discard_changes: bool,
    ) -> Result<RestoreRow> {
        let permit = self.rollbacks.admit()?;
        let before = self.get(id).await?;
        check_state(&before, RestoreState::Applied, "only one that was applied can be taken back")?;
        if before.rollback_time.is_none_or(|time| time <= self.base.clock.now_micros()) {
            let safety_backup = before.safety_backup.clone();
            return Err(RestoreError::RollbackExpired { id: id.to_owned(), safety_backup }.into());
        }
        let request = request_of(&before)?;
        let member = self.membership.current();
        let operation_id = uuid::Uuid::now_v7().to_string();
        let operation = self.operation(caller, &ROLLBACK, (&operation_id, id), &member);
        let row = self.begin(&before, RestoreState::RollingBack, (&request, &operation)).await?;
        let record = AuditRecord::create(self.base.vault.clone(), &ROLLBACK, caller, &operation_id, id)
            .with(describe(&request, id))
            .with_at_start("instance", member.id.as_str());
        let rolling = RollingBack {
            base: self.base.clone(),
            request,
            journal: self.journal(&row, &operation),
            id: id.to_owned(),
            discard_changes,
        };
        let (failing, ending) = (self.ending(), self.ending());
        let failed = operation.clone();
        let lost = Arc::clone(&member);
        self.rollbacks.start_detached(
            (permit, member),
            record,
            |_stop| async move { lost.until_lost(rolling.roll_back()).await },
            move |error: &Error| {
                let ended = error.into();
                async move { failing.settle(&failed, ended).await }
            },
            async move { ending.end(&operation).await },
        );
        Ok(row)
    }

    /// Who ends the restores of dead processes.
    pub(crate) fn inheritance(&self) -> Inheritance {
        Inheritance { ending: self.ending() }
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        tokio::join!(self.plans.stop(), self.applications.stop(), self.rollbacks.stop());
    }

    fn ending(&self) -> Ending {
        Ending { base: self.base.clone() }
    }

    fn journal(&self, row: &RestoreRow, operation: &OperationRow) -> Arc<Journal> {
        let (store, clock) = (Arc::clone(&self.base.store), Arc::clone(&self.base.clock));
        Arc::new(Journal::new(store, clock, operation.clone(), row.clone()))
    }

    fn operation(
        &self,
        caller: &Caller,
        kind: &Kind,
        (id, target): (&str, &str),
        member: &Member,
    ) -> OperationRow {
        OperationRow {
            id: id.to_owned(),
            kind: kind.name.to_owned(),
            owner: member.id.clone(),
            fence: 1,
            delegation: caller.principal.delegation.expose().to_vec(),
            target: target.to_owned(),
            trace_id: caller.trace_id.clone(),
            start_time: self.base.clock.now_micros(),
        }
    }

    async fn begin(
        &self,
        before: &RestoreRow,
        state: RestoreState,
        (request, operation): (&Request, &OperationRow),
    ) -> Result<RestoreRow> {
        let row = RestoreRow {
            state,
            reason: String::new(),
            problem: String::new(),
            revision: before.revision + 1,
            ..before.clone()
        };
        match self.base.store.begin_restore(&row, before.revision, &request.sources, operation).await? {
            Begun::Done => Ok(row),
            Begun::Stale => Err(RestoreError::Changed(row.id).into()),
            Begun::Fenced => Err(Error::Fenced),
            Begun::Busy(taken) => {
                let (source_name, other) = (taken.source, taken.restore_id);
                Err(RestoreError::TargetBusy { source_name, other }.into())
            }
        }
    }
}

fn check_state(row: &RestoreRow, wanted: RestoreState, wish: &'static str) -> Result<()> {
    if row.state == wanted {
        return Ok(());
    }
    Err(RestoreError::State { id: row.id.clone(), state: row.state.as_str(), wish }.into())
}

/// Somebody must have read which rows go. Where none go, the source's name confirms too.
fn check_confirmation(request: &Request, confirm: &str) -> Result<()> {
    let is_needless = request.confirm.is_empty()
        && (confirm.is_empty() || request.sources.iter().any(|name| name == confirm));
    if is_needless || (!request.confirm.is_empty() && request.confirm == confirm) {
        return Ok(());
    }
    let wanted =
        if request.confirm.is_empty() { request.sources.join(", ") } else { request.confirm.clone() };
    Err(Error::field(
        "confirm",
        format!("must be {wanted:?}, the name of what is restored; it is {confirm:?}"),
    ))
}

/// What the audit log says of a restore.
fn describe(request: &Request, id: &str) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "restore_id", id);
    put(&mut metadata, "archive_id", request.archive.id.as_str());
    put(&mut metadata, "sha256", request.archive.sha256.as_str());
    put(&mut metadata, "mode", request.mode.as_str());
    put(&mut metadata, "sources", request.sources.clone());
    if !request.tables.is_empty() {
        let some: Vec<&String> = request.tables.iter().take(100).collect();
        put(&mut metadata, "tables", serde_json::json!(some));
    }
    metadata
}

impl RequestMode {
    /// As on the command line.
    fn as_str(self) -> &'static str {
        match self {
            Self::IntoEmpty => "into-empty",
            Self::Merge => "merge",
            Self::Replace => "replace",
        }
    }

    /// Whether rows may go.
    fn needs_confirmation(self) -> bool {
        self == Self::Replace
    }
}
