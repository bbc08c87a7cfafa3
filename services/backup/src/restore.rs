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
mod kinds;
mod loading;
mod plan;
pub(crate) mod record;
mod report;
mod resealing;
mod rollback;
pub(crate) mod rows;
mod safety;
mod selection;
mod start;
mod target;
mod tending;
mod uploads;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::limits::VAULT_SOURCE;
use strongroom_runtime::{Caller, Clock, Shutdown};
use tokio::sync::Notify;

use crate::backups::{Catalogue, Creations};
use crate::error::{RestoreError, Result};
use crate::membership::Membership;
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Limits, Operations, Replies};
use crate::schedules::archived::bring_back;
use crate::sources::Sources;
use crate::store::{RestoreRow, Store};
use crate::vault_client::{SigningKey, VaultClient};
use crate::verification::Verifier;
pub(crate) use archive::Archives;
pub(crate) use elsewhere::{NotRestored, Part, databases};
use ending::Ending;
pub(crate) use inheritance::Inheritance;
pub(crate) use kinds::{APPLY, PLAN, ROLLBACK};
use plan::Planning;
pub(crate) use record::Origin;
use record::Request;
use safety::SafetyBackups;
pub(crate) use uploads::{ArchiveUploads, Arrived};
pub(crate) use waiting::Waiting;

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
}
