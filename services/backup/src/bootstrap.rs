//! Assembles the parts of a service process and its background work.

mod counted;
mod heirs;
mod limits;
mod own_files;
mod shared;

use std::sync::Arc;

use strongroom_runtime::{Authenticator, Clock, Metrics, Shutdown};
use strongroom_store::DatabaseUrl;

use crate::backups::StoredBackups;
use crate::config::{BackupConfig, Config};
use crate::drills::Drills;
use crate::error::{Error, Result};
use crate::export::Exports;
use crate::grpc::{BackupGrpc, DrillGrpc, RestoreGrpc, ScheduleGrpc, TablesGrpc};
use crate::membership::Membership;
use crate::metrics::{BackupMetrics, KindMetrics};
use crate::moving::Moves;
use crate::operation::Unfinished;
use crate::reencryption::Reencryptions;
use crate::report::BackupReport;
use crate::restore::Restores;
use crate::schedules::Schedules;
use crate::schedules::archived::Records;
use crate::secret_files;
use crate::source_watch::SourceWatch;
use crate::sources::Sources;
use crate::store::Store;
use crate::vault_client::VaultClient;
use crate::verification::{Verifications, Verifier};
use counted::{Counted, waiting};
use heirs::Heirs;
use limits::{closed, cost, delay, limits, limits_of_creations, limits_of_downloads, limits_of_exports};
pub(crate) use own_files::check_own_files;
use shared::{Restoring, base, context, drilling, moving, reencryptions, uploads};

/// The URL of the service's own database.
///
/// # Errors
/// [`Error::Config`] for an invalid URL, [`Error::Runtime`] for a file that cannot be read.
pub(crate) fn database_url(config: &BackupConfig) -> Result<DatabaseUrl> {
    let text = match &config.database_url_file {
        Some(file) => secret_files::database_url(file)?,
        None => config.database_url.clone(),
    };
    DatabaseUrl::parse(&text).map_err(|error| Error::Config(format!("[backup] database_url: {error}")))
}

/// The parts of a process.
pub(crate) struct Service {
    exports: Arc<Exports>,
    verifications: Arc<Verifications>,
    stored: StoredBackups,
    restores: Restores,
    moves: Moves,
    reencryptions: Reencryptions,
    schedules: Schedules,
    drills: Drills,
    sources: Arc<Sources>,
    membership: Arc<Membership>,
    unfinished: Arc<Unfinished>,
    watch: Arc<SourceWatch>,
    metrics: Metrics,
    kinds: Vec<KindMetrics>,
}

impl Service {
    /// Creates the service with nothing running, and registers this process in `store` as one that serves.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Runtime`] for configuration or files that cannot be used, [`Error::Store`].
    pub(crate) async fn create(
        config: &Config,
        (store, vault, sources): (Arc<dyn Store>, VaultClient, Arc<Sources>),
        (metrics, clock): (&Metrics, Arc<dyn Clock>),
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let backup = &config.backup;
        let counted = BackupMetrics::new(metrics, Arc::clone(&clock));
        let Counted { kinds, of_exports, others, of_restores, of_moves, of_reencryptions, of_drills } =
            Counted::of(&counted);
        let [of_creations, of_downloads, of_verifications] = others;
        let host = secret_files::host();
        let membership = Membership::join(Arc::clone(&store), host.clone(), Arc::clone(&clock)).await?;
        let own = Arc::new(Records(Arc::clone(&store)));
        let context = Arc::new(context(config, &sources, &vault, &clock, &counted, own)?);
        let (of_export, of_creation) = (limits_of_exports(backup), limits_of_creations(backup));
        let of_download = limits_of_downloads(backup);
        let of_restore = limits(backup, backup.restore_limit_seconds, backup.concurrent_restores).0;
        let closed = closed(of_export.0, of_creation.0, of_download, of_restore);
        let unfinished = Arc::new(Unfinished::create(vault.clone(), Arc::clone(&clock), closed));
        let exports = Exports::create(Arc::clone(&context), Arc::clone(&membership), of_export, of_exports);
        let base = base(config, store, (&vault, &clock), shutdown)?;
        let (delay, makers) = (delay(backup), (context, Arc::clone(&membership)));
        let (creating, downloading) = ((of_creation, of_creations), (of_download, of_downloads));
        let stored = StoredBackups::create(base.clone(), makers, (creating, downloading), delay, metrics);
        let received = (of_verifications, counted.received_bytes());
        let uploads = uploads(backup, metrics);
        let verifier = Verifier::create(vault.clone(), cost(backup));
        let of_verification = limits(backup, backup.verify_limit_seconds, backup.concurrent_uploads).0;
        let verifications =
            Verifications::create(verifier.clone(), of_verification, Arc::clone(&uploads), received);
        let verifications = Arc::new(verifications);
        let moving = moving(config, &base, (&sources, &uploads), verifier.cost().memory);
        let moves = Moves::create(moving, Arc::clone(&membership), [of_export.0, of_restore], of_moves);
        let of_vault = (&vault, &clock, &sources);
        let reencryptions = reencryptions(backup, of_vault, &membership, of_reencryptions);
        let (app_name, waiting) = (config.app.name.clone(), waiting(metrics));
        let restoring =
            Restoring { base, verifier, uploads, sources: Arc::clone(&sources), host, app_name, waiting };
        let restores = restoring.create(backup, &stored, (Arc::clone(&membership), of_restore), of_restores);
        let base = drilling(config, &restores, &stored)?;
        let of_schedules = (Arc::clone(&base.store), vault, Arc::clone(&clock));
        let of_process = (Arc::clone(&membership), shutdown.clone());
        let drills = Drills::create(base, of_process, of_restore, (of_drills, metrics));
        let budget = i64::try_from(backup.verify_bytes_per_day).unwrap_or(i64::MAX);
        let reading = ((Arc::clone(&verifications), budget), drills.clone());
        let schedules = Schedules::new(of_schedules, stored.clone(), reading, metrics);
        Ok(Self {
            exports: Arc::new(exports),
            verifications,
            stored,
            restores,
            moves,
            reencryptions,
            schedules,
            drills,
            watch: Arc::new(SourceWatch::new(Arc::clone(&sources), clock, metrics)),
            sources,
            membership,
            unfinished,
            metrics: metrics.clone(),
            kinds,
        })
    }

    /// The background work, until `shutdown`.
    pub(crate) fn background(
        &self,
        all_were_read: bool,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (sources, watch) = (Arc::clone(&self.sources), Arc::clone(&self.watch));
        let (membership, unfinished) = (Arc::clone(&self.membership), Arc::clone(&self.unfinished));
        let (stored, restores, moves) = (self.stored.clone(), self.restores.clone(), self.moves.clone());
        let (schedules, drills) = (self.schedules.clone(), self.drills.clone());
        async move {
            let checking = async {
                if !all_were_read {
                    shutdown.unless_begun(sources.check_until_all_were_read(shutdown.clone())).await;
                }
            };
            let heirs = Heirs {
                backups: stored.inheritance(Arc::clone(&unfinished)),
                restores: restores.inheritance(),
                imports: moves.inheritance(),
                drills: drills.inheritance(),
            };
            tokio::join!(
                membership.run(&heirs, &shutdown),
                unfinished.keep_closing_old(&shutdown),
                stored.run(&shutdown),
                restores.run(&shutdown),
                schedules.run(&shutdown),
                drills.run(&shutdown),
                checking,
                watch.run(&shutdown)
            );
        }
    }

    /// Ends operations early enough to record their end and to tell their clients.
    pub(crate) fn stop_in_time(&self, shutdown: Shutdown) -> impl Future<Output = ()> + Send + use<> {
        let (exports, verifications) = (Arc::clone(&self.exports), Arc::clone(&self.verifications));
        let (stored, restores, moves) = (self.stored.clone(), self.restores.clone(), self.moves.clone());
        let (reencryptions, drills) = (self.reencryptions.clone(), self.drills.clone());
        async move {
            shutdown.streams_end().await;
            let changing =
                async { tokio::join!(restores.stop(), moves.stop(), reencryptions.stop(), drills.stop()) };
            tokio::join!(exports.stop(), stored.stop(), verifications.stop(), changing);
        }
    }

    /// Ends running operations.
    pub(crate) async fn stop(&self) {
        let (stored, restores) = (self.stored.stop(), self.restores.stop());
        let changing = async {
            tokio::join!(restores, self.moves.stop(), self.reencryptions.stop(), self.drills.stop())
        };
        tokio::join!(self.exports.stop(), stored, self.verifications.stop(), changing);
    }

    /// Stops taking part as a serving process.
    pub(crate) async fn leave(&self) {
        self.membership.leave().await;
    }

    /// The report for the admin page and the status.
    pub(crate) fn report(&self, config: &BackupConfig) -> Arc<BackupReport> {
        let most = [
            config.concurrent_exports,
            config.concurrent_backups,
            config.concurrent_downloads,
            config.concurrent_uploads,
            config.concurrent_restores,
            config.concurrent_restores,
            config.concurrent_restores,
            config.concurrent_exports,
            config.concurrent_restores,
            config.concurrent_restores,
            1,
        ];
        let kinds = self.kinds.iter().cloned().zip(most).collect();
        let metrics = self.metrics.clone();
        let (sources, overview) = (Arc::clone(&self.watch), self.stored.overview.clone());
        let schedules = self.schedules.overview();
        Arc::new(BackupReport { sources, overview, schedules, kinds, metrics })
    }

    /// The handler of calls about restores.
    pub(crate) fn restore_grpc(&self, shutdown: Shutdown) -> RestoreGrpc {
        RestoreGrpc { restores: self.restores.clone(), shutdown }
    }

    /// The handler of calls about chosen tables.
    pub(crate) fn tables_grpc(&self) -> TablesGrpc {
        TablesGrpc { moves: self.moves.clone() }
    }

    /// The handler of calls about schedules.
    pub(crate) fn schedule_grpc(&self) -> ScheduleGrpc {
        ScheduleGrpc { schedules: self.schedules.clone() }
    }

    /// The handler of calls about drills.
    pub(crate) fn drill_grpc(&self) -> DrillGrpc {
        DrillGrpc { drills: self.drills.clone() }
    }

    /// The handler of all other calls.
    pub(crate) fn grpc(&self, authenticator: Arc<dyn Authenticator>, shutdown: Shutdown) -> BackupGrpc {
        BackupGrpc {
            exports: Arc::clone(&self.exports),
            stored: self.stored.clone(),
            verifications: Arc::clone(&self.verifications),
            sources: Arc::clone(&self.sources),
            reencryptions: self.reencryptions.clone(),
            authenticator,
            shutdown,
        }
    }
}
