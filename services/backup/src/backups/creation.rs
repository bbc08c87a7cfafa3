//! Makes stored backups: long operations without a waiting client.
//!
//! Order: add the backup to the catalogue before anything is read; upload the archive to its destinations while it is
//! made; complete every copy; write the sidecars, which make the copies count; set the state AVAILABLE; record the end
//! in the audit log; pin the key versions until the backup is purged. A failure before AVAILABLE fails the backup, and
//! [`super::tending`] removes the uploaded data.

mod anomalies;
mod making;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Caller;

use super::Base;
use super::catalogue::Catalogue;
use super::destinations::Destination;
use super::destinations::parts::PartSize;
use super::ending::Ending;
use super::record::{Selection, from_json};
use super::upload::{Place, Upload};
use crate::assembly::{ArchiveRequest, Assembly, AssemblyContext, Lifetime, Plan, describe_plan};
use crate::error::{Error, Result, ScheduleError};
use crate::membership::{Member, Membership};
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Operations, Permit, put};
use crate::seal::SealChoice;
use crate::store::{OperationRow, Replaced, StoredBackup, Turn};
use anomalies::Comparison;
use making::Making;
use rows::{backup_row, copy_row, operation_row, request_of};
use strongroom_runtime::failpoint;

/// The operation kind of making stored backups.
pub(crate) static KIND: Kind = Kind {
    name: "create",
    started: Some("backup.create_started"),
    ended: "backup.created",
    keeps: true,
    hands_on: false,
    queue: 1,
    busy: Error::BackupsBusy,
    too_long: Error::BackupTooLong,
    stalled: Error::Stalled,
};

/// The options of a backup other than its content.
#[derive(Debug, Default)]
pub(crate) struct Order<'a> {
    /// Names of destinations; empty means all.
    pub(crate) destinations: &'a [String],
    /// A UUID by which a repeated request finds the first one's backup, or empty.
    pub(crate) request_id: &'a str,
    /// The schedule's run that makes it.
    pub(crate) run: Option<Run>,
}

/// A run of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The change of the schedule when the run begins.
    pub(crate) turn: Turn,
    /// When it was due; `None` for a run that somebody requested.
    pub(crate) due_time: Option<i64>,
    /// Maximum duration, if shorter than the server's limit.
    pub(crate) limit: Option<Duration>,
}

/// Runs `work`, at most for `limit`.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(limit) = limit else { return work.await };
    let ended = tokio::time::timeout(limit, work).await;
    ended.unwrap_or(Err(ScheduleError::Timeout(limit.as_secs()).into()))
}

/// Makes stored backups; one instance per process.
pub(crate) struct Creations {
    context: Arc<AssemblyContext>,
    membership: Arc<Membership>,
    catalogue: Catalogue,
    base: Base,
    operations: Operations,
    lifetime: Lifetime,
    ending: Ending,
}

impl Creations {
    pub(super) fn create(
        context: Arc<AssemblyContext>,
        membership: Arc<Membership>,
        (catalogue, base): (Catalogue, Base),
        ((limits, lifetime), metrics): ((Limits, Lifetime), KindMetrics),
    ) -> Self {
        let operations = Operations::create(&KIND, limits, metrics);
        let ending = Ending { base: base.clone() };
        Self { context, membership, catalogue, base, operations, lifetime, ending }
    }

    /// Begins a backup for `caller`.
    ///
    /// # Errors
    /// [`ScheduleError::Taken`], [`Error::BackupsBusy`], [`Error::NoDestination`], [`Error::Field`],
    /// [`Error::NoRecoveryRecipient`], the errors of the vault and the store, and those of sources that have to be
    /// asked first.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        request: &ArchiveRequest,
        choice: SealChoice,
        order: Order<'_>,
    ) -> Result<StoredBackup> {
        let Order { destinations: names, request_id, run } = order;
        let selection = Selection::of(request, choice.name());
        let repeatable = request_of(caller, request_id)?;
        if let Some(first) = self.repeated(repeatable.as_deref(), &selection).await? {
            return Ok(first);
        }
        let permit = self.operations.admit()?;
        let destinations = self.base.destinations.choose(names)?;
        let context = &self.context;
        let plan = Plan::create(&context.sources, request).await?;
        let estimate = plan.estimate(&context.sources).await.bytes();
        // A service does not report the size of its data.
        let last = self.catalogue.last_size(request).await?.unwrap_or(0);
        let estimate = estimate.max(last.unsigned_abs());
        let mut described = describe_plan(&plan, choice.name(), context.policy.recipients(&choice))?;
        let named: Vec<&str> = destinations.iter().map(|destination| destination.name.as_str()).collect();
        put(&mut described, "destinations", named);
        let assembly = Assembly::prepare(context, plan, choice, self.lifetime).await?;
        let member = self.membership.current();
        let operation = operation_row(caller, &assembly, &member);
        let backup = StoredBackup {
            row: backup_row(caller, &assembly, &selection, (repeatable.clone(), run.as_ref())),
            copies: destinations
                .iter()
                .enumerate()
                .map(|(at, to)| copy_row(&assembly, at, &to.name))
                .collect(),
        };
        if let Some(run) = &run {
            put(&mut described, "schedule", run.turn.schedule.name.as_str());
        }
        let record = self.record(caller, &assembly, &member).with(described);
        failpoint::reached("create.before_row");
        match self.add(&backup, &operation, run.as_ref()).await {
            Ok(Replaced::Done) => {}
            Ok(Replaced::Fenced) => return Err(Error::Fenced),
            Ok(Replaced::Stale) => return Err(ScheduleError::Taken.into()),
            // The same request arrived twice at once.
            Err(error) if error.kind() == strongroom_store::Kind::Unique => {
                let first = self.repeated(repeatable.as_deref(), &selection).await?;
                return first.ok_or(Error::Store(error));
            }
            Err(error) => return Err(error.into()),
        }
        failpoint::reached("create.row");
        let size = PartSize::for_estimate(estimate);
        let limit = run.and_then(|run| run.limit);
        self.start((permit, member), record, (assembly, operation), (destinations, &backup, size), limit);
        Ok(backup)
    }

    async fn add(
        &self,
        backup: &StoredBackup,
        operation: &OperationRow,
        run: Option<&Run>,
    ) -> strongroom_store::Result<Replaced> {
        match run {
            Some(run) => self.base.store.begin_run(&run.turn, backup, operation).await,
            None => {
                let is_done = self.base.store.create_backup(backup, operation).await?;
                Ok(if is_done { Replaced::Done } else { Replaced::Fenced })
            }
        }
    }

    /// Refuses a selection that the sources do not have, and destinations that are not configured.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::NoDestination`], and those of sources that have to be asked first.
    pub(crate) async fn check(&self, request: &ArchiveRequest, destinations: &[String]) -> Result<()> {
        self.base.destinations.choose(destinations)?;
        Plan::create(&self.context.sources, request).await.map(|_| ())
    }

    /// Makes `backup` in a task of its own.
    fn start(
        &self,
        (permit, member): (Permit, Arc<Member>),
        record: AuditRecord,
        (assembly, operation): (Assembly, OperationRow),
        (destinations, backup, size): (Vec<Arc<Destination>>, &StoredBackup, PartSize),
        limit: Option<Duration>,
    ) {
        let places = destinations.into_iter().zip(backup.copies.clone());
        let places = places.map(|(destination, copy)| Place { destination, copy }).collect();
        let (store, vault) = (Arc::clone(&self.base.store), self.context.vault.clone());
        let upload = Upload::create(Arc::clone(&store), operation.clone(), size, places);
        let run = Comparison::of(&backup.row);
        let making =
            Making { assembly, upload: Arc::new(upload), store, vault, operation: operation.clone(), run };
        let (failing, completing) = (self.ending.clone(), self.ending.clone());
        let failed = operation.clone();
        self.operations.start_detached(
            (permit, Arc::clone(&member)),
            record,
            |stop| async move { member.until_lost(within(limit, making.make(stop))).await },
            move |error: &Error| {
                let (reason, problem) = (error.reason(), error.to_string());
                async move { failing.fail(&failed, reason, &problem).await }
            },
            async move { completing.complete(&operation).await },
        );
    }

    /// The backup of an earlier request with the same id.
    async fn repeated(&self, request: Option<&str>, selection: &Selection) -> Result<Option<StoredBackup>> {
        let Some(request) = request else { return Ok(None) };
        let first = self.base.store.backup_of_request(request).await?;
        if first.as_ref().is_some_and(|first| from_json::<Selection>(&first.row.selection) != *selection) {
            return Err(Error::field(
                "request_id",
                "was used for a backup of another selection; use a new one",
            ));
        }
        Ok(first)
    }

    fn record(&self, caller: &Caller, assembly: &Assembly, member: &Member) -> AuditRecord {
        let (id, file_name) = (assembly.archive_id.as_str(), assembly.file_name.as_str());
        AuditRecord::create(self.context.vault.clone(), &KIND, caller, id, file_name)
            .with_at_start("instance", member.id.as_str())
            .with_at_start("archive_id", id)
    }

    /// Ends backups being made and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}
