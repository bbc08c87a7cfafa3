//! Restores: write an archive's rows and files back into databases, services and directories that applications keep
//! using.
//!
//! A restore is planned ([`plan`]: the archive is verified and compared, nothing is changed), then applied ([`apply`]:
//! a backup is made, everything is staged, then one source after the other is swapped), and can be rolled back for a
//! day ([`rollback`]). The [`journal`] defines the durable state and its order. [`ending`] decides the end of a restore
//! that failed or whose process died, by the markers in the sources: it goes [`forward`] or [`back`]. A [`target`] does
//! the work on one source of any kind.

mod apply;
mod archive;
mod back;
pub(crate) mod convert;
mod elsewhere;
mod ending;
pub(crate) mod error;
mod forward;
mod inheritance;
mod journal;
mod loading;
mod plan;
pub(crate) mod record;
mod report;
mod resealing;
mod rollback;
pub(crate) mod rows;
mod safety;
mod selection;
mod target;
mod tending;
mod uploads;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_api::backup::v1 as proto;
use strongroom_api::limits::VAULT_SOURCE;
use strongroom_runtime::{Caller, Clock, Shutdown};
use tokio::sync::Notify;

use crate::backups::record::to_json;
use crate::backups::{Catalogue, Creations};
use crate::error::{Error, RestoreError, Result};
use crate::membership::{Member, Membership};
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Ended, Kind, Limits, Metadata, Operations, Permit, Replies, put};
use crate::schedules::archived::bring_back;
use crate::sources::Sources;
use crate::store::{Begun, OperationRow, RestoreRow, RestoreState, Store};
use crate::vault_client::{SigningKey, VaultClient};
use crate::verification::Verifier;
use apply::Applying;
pub(crate) use archive::Archives;
pub(crate) use elsewhere::{NotRestored, Part, databases};
use ending::Ending;
pub(crate) use inheritance::Inheritance;
use journal::Journal;
use plan::Planning;
pub(crate) use record::Origin;
use record::{Request, RequestMode, journal_of, request_of};
use rollback::RollingBack;
use safety::SafetyBackups;
pub(crate) use uploads::{ArchiveUploads, Arrived};
pub(crate) use waiting::Waiting;

/// How long a rollback waits for a running attempt of the same restore to end. The attempt checks every two seconds
/// whether it should end.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// The operation kind of plans.
pub(crate) static PLAN: Kind = Kind {
    name: "restore_plan",
    started: None,
    ended: "restore.planned",
    keeps: false,
    hands_on: false,
    queue: 16,
    busy: |most| Error::Restore(RestoreError::PlansBusy(most)),
    too_long: |seconds| Error::Restore(RestoreError::PlanTooLong(seconds)),
    stalled: Error::ClientSilent,
};

/// The operation kind of restores being applied.
pub(crate) static APPLY: Kind = Kind {
    name: "restore",
    started: Some("restore.started"),
    ended: "restore.completed",
    keeps: true,
    hands_on: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// The operation kind of restores being rolled back.
pub(crate) static ROLLBACK: Kind = Kind {
    name: "restore_rollback",
    started: Some("restore.rollback_started"),
    ended: "restore.rolled_back",
    keeps: true,
    hands_on: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// Shared by all code for restores.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) archives: Arc<Archives>,
    pub(crate) verifier: Verifier,
    pub(crate) shutdown: Shutdown,
    /// The confirmation text of a restore of several sources.
    pub(crate) app_name: String,
    pub(crate) waiting: Arc<Waiting>,
    /// Notified when the vault was restored: its pins of stored backups are then asserted again.
    pub(crate) vault_restored: Arc<Notify>,
}

impl Base {
    /// Creates the schedules that the restore found in its archive, except those whose names are taken by now.
    async fn bring_back_schedules(&self, request: &Request) -> Result<()> {
        for schedule in &request.schedules {
            let who = (request.creator.as_str(), self.clock.now_micros());
            bring_back(self.store.as_ref(), schedule, who).await?;
        }
        Ok(())
    }

    /// Called after the last swap of a restore.
    fn tell_of(&self, request: &Request) {
        if request.sources.iter().any(|source| source == VAULT_SOURCE) {
            self.vault_restored.notify_one();
        }
    }
}

/// The restores of one process. Clones share them.
#[derive(Clone)]
pub(crate) struct Restores {
    base: Base,
    membership: Arc<Membership>,
    safety: SafetyBackups,
    plans: Arc<Operations>,
    applications: Arc<Operations>,
    rollbacks: Arc<Operations>,
    /// Maximum duration of a restore or a rollback; after that, [`ending`] decides how it ends.
    limit: Duration,
}

impl Restores {
    /// `metrics` are those of [`PLAN`], [`APPLY`] and [`ROLLBACK`].
    pub(crate) fn create(
        base: Base,
        membership: Arc<Membership>,
        (creations, catalogue): (Arc<Creations>, Catalogue),
        limits: Limits,
        metrics: [KindMetrics; 3],
    ) -> Self {
        let [of_plans, of_applications, of_rollbacks] = metrics;
        let safety = SafetyBackups { creations, catalogue, sources: Arc::clone(&base.sources) };
        // No time limit for the operations: a restore that has begun to change sources is never left unfinished.
        let endless = Limits { duration: Duration::MAX, ..limits };
        Self {
            base,
            membership,
            safety,
            plans: Arc::new(Operations::create(&PLAN, limits, of_plans)),
            applications: Arc::new(Operations::create(&APPLY, endless, of_applications)),
            rollbacks: Arc::new(Operations::create(&ROLLBACK, endless, of_rollbacks)),
            limit: limits.duration,
        }
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// Uploaded archives.
    pub(crate) fn uploads(&self) -> &ArchiveUploads {
        &self.base.archives.uploads
    }

    /// Plans a restore for `caller`. `signers` are trusted in addition to the vault's own keys.
    ///
    /// # Errors
    /// [`RestoreError::PlansBusy`]. Later errors end the replies.
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

    /// Newest first, at most `limit`, and only older than `before` if given.
    pub(crate) async fn list(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<RestoreRow>> {
        Ok(self.base.store.restores(before, limit).await?)
    }

    /// Begins to apply a plan. Writers wait at most `max_pause`, if given; `grant` comes from the vault, if the plan
    /// needs one.
    ///
    /// # Errors
    /// [`RestoreError::GrantMissing`], [`RestoreError::State`], [`RestoreError::PlanExpired`],
    /// [`RestoreError::TargetBusy`], [`RestoreError::Busy`], [`Error::Field`] for `confirm`.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        id: &str,
        confirm: &str,
        (max_pause, grant): (Option<Duration>, &[u8]),
    ) -> Result<RestoreRow> {
        let permit = self.applications.admit()?;
        let before = self.get(id).await?;
        check_state(
            &before,
            &[RestoreState::Planned],
            "only a planned restore that is not refused can be applied",
        )?;
        if before.expire_time <= self.base.clock.now_micros() {
            return Err(RestoreError::PlanExpired(id.to_owned()).into());
        }
        let mut request = request_of(&before)?;
        check_confirmation(&request, confirm)?;
        if request.grantee.is_some() && grant.is_empty() {
            return Err(RestoreError::GrantMissing(id.to_owned()).into());
        }
        request.grant = hex::encode(grant);
        let member = self.membership.current();
        let operation = self.operation(caller, &APPLY, (id, &request.archive.file_name), &member);
        let row = self.begin(&before, (RestoreState::Applying, false), (&request, &operation)).await?;
        let applying = Applying {
            base: self.base.clone(),
            safety: self.safety.clone(),
            caller: caller.clone(),
            journal: Arc::new(Journal::of(&self.base, &operation, row.clone())),
            id: id.to_owned(),
            max_pause,
            request: request.clone(),
        };
        let record = self.record(caller, &APPLY, (&operation, &member), (&request, id));
        self.start(&self.applications, (permit, member, record), operation, applying.apply());
        Ok(row)
    }

    /// Begins to roll back a restore. A restore that cannot continue is retried periodically, and can be taken over
    /// only between two attempts: a running attempt is told to end, and this call waits for it.
    ///
    /// # Errors
    /// [`RestoreError::State`], [`RestoreError::RollbackExpired`], [`RestoreError::TargetBusy`],
    /// [`RestoreError::Busy`].
    pub(crate) async fn roll_back(
        &self,
        caller: &Caller,
        id: &str,
        discard_changes: bool,
    ) -> Result<RestoreRow> {
        let started = Instant::now();
        loop {
            let begun = Box::pin(self.begin_rollback(caller, id, discard_changes)).await;
            match begun {
                Err(Error::Restore(RestoreError::State { .. } | RestoreError::Changed(_)))
                    if started.elapsed() < LONGEST_ATTEMPT && self.is_tried_again(id).await? =>
                {
                    self.want_back(id).await?;
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                begun => return begun,
            }
        }
    }

    /// Asks a running attempt to end soon, unless it has ended meanwhile.
    async fn want_back(&self, id: &str) -> Result<()> {
        let row = self.get(id).await?;
        let mut journal = journal_of(&row)?;
        if matches!(row.state, RestoreState::Applying | RestoreState::RollingBack) && !journal.is_wanted_back
        {
            journal.is_wanted_back = true;
            let wanted = RestoreRow { journal: to_json(&journal), revision: row.revision + 1, ..row.clone() };
            self.base.store.replace_restore(&wanted, row.revision, None).await?;
        }
        Ok(())
    }

    /// Whether an earlier attempt could not continue.
    async fn is_tried_again(&self, id: &str) -> Result<bool> {
        let row = self.get(id).await?;
        Ok(row.state.is_busy() && !row.problem.is_empty())
    }

    async fn begin_rollback(&self, caller: &Caller, id: &str, discard_changes: bool) -> Result<RestoreRow> {
        let permit = self.rollbacks.admit()?;
        let before = self.get(id).await?;
        let wish = "only a restore that was applied, or cannot continue now, can be rolled back";
        check_state(&before, &[RestoreState::Applied, RestoreState::Resumable], wish)?;
        let is_incomplete = before.state == RestoreState::Resumable;
        let now = self.base.clock.now_micros();
        if !is_incomplete && before.rollback_time.is_none_or(|time| time <= now) {
            let safety_backup = before.safety_backup.clone();
            return Err(RestoreError::RollbackExpired { id: id.to_owned(), safety_backup }.into());
        }
        let request = request_of(&before)?;
        let member = self.membership.current();
        let operation_id = uuid::Uuid::now_v7().to_string();
        let operation = self.operation(caller, &ROLLBACK, (&operation_id, id), &member);
        let begun = (RestoreState::RollingBack, discard_changes);
        let row = self.begin(&before, begun, (&request, &operation)).await?;
        let rolling = RollingBack {
            base: self.base.clone(),
            journal: Arc::new(Journal::of(&self.base, &operation, row.clone())),
            id: id.to_owned(),
            discard_changes,
            is_incomplete,
            request: request.clone(),
        };
        let record = self.record(caller, &ROLLBACK, (&operation, &member), (&request, id));
        self.start(&self.rollbacks, (permit, member, record), operation, rolling.roll_back());
        Ok(row)
    }

    /// A restore that fails or exceeds the time limit is brought to its end before the operation's own end is recorded.
    /// If this process ends first, its heir does that.
    fn start(
        &self,
        operations: &Operations,
        (permit, member, record): (Permit, Arc<Member>, AuditRecord),
        operation: OperationRow,
        work: impl Future<Output = Result<Ended<()>>> + Send + 'static,
    ) {
        let (finishing, handing_on, ending) = (self.ending(), self.ending(), self.ending());
        let (finished, handed_on) = (operation.clone(), operation.clone());
        let (limit, lost) = (self.limit, Arc::clone(&member));
        let within = async move {
            let done = tokio::time::timeout(limit, work).await;
            // A restore that waits for a source must not keep others from starting.
            drop(permit);
            match done.unwrap_or_else(|_| Err(RestoreError::TooLong(limit.as_secs()).into())) {
                Ok(ended) => Ok(ended),
                Err(error) => finishing.finish(&finished, error).await,
            }
        };
        operations.start_detached(
            member,
            record,
            |_stop| async move { lost.until_lost(within).await },
            move |error: &Error| {
                let (cause, is_recorded) = (error.into(), !error.is_handed_on());
                async move { handing_on.hand_on(&handed_on, &cause, is_recorded).await }
            },
            async move { ending.end(&operation).await },
        );
    }

    /// The heir for restores of dead processes.
    pub(crate) fn inheritance(&self) -> Inheritance {
        Inheritance::new(self.ending(), Arc::clone(&self.membership))
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        tokio::join!(self.plans.stop(), self.applications.stop(), self.rollbacks.stop());
    }

    fn ending(&self) -> Ending {
        Ending { base: self.base.clone() }
    }

    fn record(
        &self,
        caller: &Caller,
        kind: &'static Kind,
        (operation, member): (&OperationRow, &Member),
        (request, id): (&Request, &str),
    ) -> AuditRecord {
        AuditRecord::create(self.base.vault.clone(), kind, caller, &operation.id, &operation.target)
            .with(describe(request, id))
            .with_at_start("instance", member.id.as_str())
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

    /// From here on, `operation` controls the restore.
    async fn begin(
        &self,
        before: &RestoreRow,
        (state, discard_changes): (RestoreState, bool),
        (request, operation): (&Request, &OperationRow),
    ) -> Result<RestoreRow> {
        let mut journal = journal_of(before)?;
        journal.operation.clone_from(&operation.id);
        // A resumable restore is incomplete, unless it waits in a rollback: then the value from the rollback's start
        // stays valid.
        journal.was_incomplete |= before.state == RestoreState::Resumable && !journal.is_going_back;
        journal.is_going_back = state == RestoreState::RollingBack;
        journal.discard_changes = discard_changes;
        journal.is_wanted_back = false;
        let row = RestoreRow {
            state,
            request: to_json(request),
            journal: to_json(&journal),
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

fn check_state(row: &RestoreRow, wanted: &[RestoreState], wish: &'static str) -> Result<()> {
    if wanted.contains(&row.state) {
        return Ok(());
    }
    Err(RestoreError::State { id: row.id.clone(), state: row.state.as_str(), wish }.into())
}

/// The confirmation shows that somebody has read which rows are deleted. If none are, it may be empty or a source's
/// name.
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
        format!("must be {wanted:?}, the name of what is to be restored; it is {confirm:?}"),
    ))
}

/// Metadata of a restore for the audit log.
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
    if !request.rows.is_empty() {
        put(&mut metadata, "rows", request.rows.values().map(|keys| keys.len() as u64).sum::<u64>());
    }
    metadata
}

impl RequestMode {
    /// Its name on the command line.
    fn as_str(self) -> &'static str {
        match self {
            Self::IntoEmpty => "into-empty",
            Self::Merge => "merge",
            Self::Replace => "replace",
        }
    }

    /// Whether it can delete rows.
    fn needs_confirmation(self) -> bool {
        self == Self::Replace
    }
}
