//! Restore drills: a drill restores a stored backup into databases of its own, checks everything that was restored, and
//! drops the databases.
//!
//! A verified backup has intact bytes; a drilled one is known to restore. [`drilling`] does the work: it verifies the
//! archive, then creates each database ([`scratch`]), fills it as any restore would, and checks it against fixed
//! [`assertions`]. The result is the [`evidence`], which is kept with the drill and in the audit log. One drill runs at
//! a time; the heir of a dead process ends its drill ([`inheritance`]). [`ending`] decides how a drill ends, and
//! [`sweeping`] removes leftovers.

mod assertions;
mod drilling;
mod ending;
pub(crate) mod error;
pub(crate) mod evidence;
mod inheritance;
mod outside;
mod rows;
mod scratch;
mod sweeping;

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_runtime::{Caller, Clock, Metrics, Shutdown, failpoint};
use uuid::Uuid;

use crate::backups::Catalogue;
use crate::backups::record::{Content, from_json};
use crate::error::{DrillError, Error, Result};
use crate::membership::{Member, Membership};
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Operations};
use crate::restore::Archives;
use crate::sources::Sources;
use crate::store::{BackupState, DrillRow, DrillState, OperationRow, Replaced, Store, StoredBackup};
use crate::vault_client::VaultClient;
use crate::verification::Verifier;
use drilling::Drilling;
use ending::{closing, describe};
use evidence::Evidence;
pub(crate) use inheritance::Inheritance;
pub(crate) use scratch::ScratchPlaces;
use sweeping::Sweeping;

/// The operation kind of drills.
pub(crate) static KIND: Kind = Kind {
    name: "drill",
    started: None,
    ended: "backup.drilled",
    keeps: false,
    hands_on: false,
    queue: 1,
    busy: |_| Error::Drill(DrillError::BusyElsewhere),
    too_long: |seconds| Error::Drill(DrillError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// Shared by all drill code.
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

/// The drills of one process. Clones share them.
#[derive(Clone)]
pub(crate) struct Drills {
    base: Base,
    membership: Arc<Membership>,
    operations: Arc<Operations>,
    sweeping: Sweeping,
    shutdown: Shutdown,
}

impl Drills {
    /// `limits` and `metrics` are those of [`KIND`].
    pub(crate) fn create(
        base: Base,
        (membership, shutdown): (Arc<Membership>, Shutdown),
        limits: Limits,
        (of_kind, metrics): (KindMetrics, &Metrics),
    ) -> Self {
        let operations = Arc::new(Operations::create(&KIND, Limits { concurrent: 1, ..limits }, of_kind));
        let sweeping = Sweeping::new(base.clone(), metrics);
        Self { base, membership, operations, sweeping, shutdown }
    }

    /// Removes leftovers of drills until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        self.sweeping.run(shutdown).await;
    }

    /// Refuses a configuration in which some database has no place to be restored to: a drill that omits a source
    /// proves nothing about it.
    ///
    /// # Errors
    /// [`DrillError::NoScratch`].
    pub(crate) fn check_places(&self) -> Result<()> {
        self.base.places.check(&self.base.sources)
    }

    /// Begins a drill of the backup, or of the newest one if `id` is empty.
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
        let row = self.row(caller, &backup).await?;
        let operation = operation(caller, &row, &member);
        match self.base.store.begin_drill(&row, &operation).await? {
            Replaced::Done => {}
            Replaced::Fenced => return Err(Error::Fenced),
            Replaced::Stale => {
                let running = self.base.store.running_drill().await?;
                let busy = running.map_or(DrillError::BusyElsewhere, |running| DrillError::Busy(running.id));
                return Err(busy.into());
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
        let own = operation.clone();
        let work = move |stop| async move {
            member.until_lost(drilling.run(&own, stop)).await.map(|evidence| closing(&evidence))
        };
        let failing = Arc::clone(&found);
        let undo = move |error: &Error| {
            let mut found = failing.lock().unwrap_or_else(PoisonError::into_inner);
            found.end(error);
            async {}
        };
        let (ending, shutdown) = (self.base.clone(), self.shutdown.clone());
        let done = async move {
            failpoint::reached("drill.recorded");
            let evidence = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ending.clear(&row.id).await;
            // If an heir has taken over the drill, this has no effect, and the heir ends it.
            ending.end(row, &operation, &evidence, shutdown).await;
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

    /// Newest first, at most `limit`, and only older than `before` if given.
    pub(crate) async fn list(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<DrillRow>> {
        Ok(self.base.store.drills(before, limit).await?)
    }

    /// The heir for drills of dead processes.
    pub(crate) fn inheritance(&self) -> Inheritance {
        Inheritance { base: self.base.clone() }
    }

    /// Ends running operations and waits for their closing events.
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
            return Err(Error::BackupState { id, state, wish: "only an available backup can be drilled" });
        }
        let newest = self.base.catalogue.newest_restorable(None).await?;
        newest.ok_or_else(|| DrillError::NoBackup.into())
    }

    /// The drill counts for the schedule only if the backup is the schedule's newest restorable one: a drill of an
    /// older backup says nothing about that one.
    async fn row(&self, caller: &Caller, backup: &StoredBackup) -> Result<DrillRow> {
        let schedule = match &backup.row.schedule {
            Some(name) => {
                let newest = self.base.catalogue.newest_restorable(Some(name)).await?;
                newest.is_some_and(|newest| newest.row.id == backup.row.id).then(|| name.clone())
            }
            None => None,
        };
        Ok(DrillRow {
            id: Uuid::now_v7().to_string(),
            backup_id: backup.row.id.clone(),
            file_name: backup.row.file_name.clone(),
            schedule,
            state: DrillState::Running,
            creator: caller.principal.id.clone(),
            create_time: self.base.clock.now_micros(),
            end_time: None,
            reason: String::new(),
            problem: String::new(),
            evidence: String::new(),
        })
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
