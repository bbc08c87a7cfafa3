//! Assembles the parts of a service process and its background work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strongroom_archive::Compression;
use strongroom_runtime::metrics::{Kind, Sample};
use strongroom_runtime::{Authenticator, Clock, Metrics, Shutdown};
use strongroom_store::DatabaseUrl;

use crate::assembly::{AssemblyContext, Lifetime, OwnRecords};
use crate::backups::destinations::Destinations;
use crate::backups::{self, Base, CREATION, DOWNLOAD, StoredBackups};
use crate::config::{BackupConfig, Config};
use crate::drills::{self, Drills, ScratchPlaces};
use crate::error::{Error, Result};
use crate::export::{self, Exports};
use crate::grpc::{BackupGrpc, DrillGrpc, RestoreGrpc, ScheduleGrpc, TablesGrpc};
use crate::incoming::{self, MemoryLimits, UploadLimits, Uploads};
use crate::membership::{Heir, Membership};
use crate::metrics::{BackupMetrics, KindMetrics};
use crate::moving::{self, Moves};
use crate::operation::{self, Limits, Unfinished};
use crate::reencryption::{self, Reencryptions};
use crate::report::BackupReport;
use crate::restore::{self, ArchiveUploads, Archives, Restores, Waiting};
use crate::schedules::Schedules;
use crate::schedules::archived::Records;
use crate::seal::SealPolicy;
use crate::secret_files;
use crate::source_watch::SourceWatch;
use crate::sources::Sources;
use crate::store::{OperationRow, ProcessRow, Store};
use crate::vault_client::VaultClient;
use crate::verification::{self, Cost, Verifications, Verifier};

const HOUR: i64 = 3600 * 1_000_000;

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

/// Ends the operations that a dead process left, by kind.
struct Heirs {
    backups: backups::Inheritance,
    restores: restore::Inheritance,
    imports: moving::Inheritance,
    drills: drills::Inheritance,
}

#[async_trait]
impl Heir for Heirs {
    async fn inherit(&self, dead: &ProcessRow, operations: Vec<OperationRow>) -> bool {
        let (of_restores, others): (Vec<_>, Vec<_>) =
            operations.into_iter().partition(restore::Inheritance::is_restore);
        let (of_imports, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(moving::Inheritance::is_import);
        let (of_drills, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(drills::Inheritance::is_drill);
        // All are called before their results are combined, so none holds up another: a restore may wait days for a
        // source.
        let restores = self.restores.inherit(dead, &of_restores).await;
        let imports = self.imports.inherit(dead, &of_imports).await;
        let drills = self.drills.inherit(dead, &of_drills).await;
        let backups = self.backups.inherit(dead, &others).await;
        // Finally, close everything that the process left open in the audit log, including operations that were
        // settled.
        restores && imports && drills && backups && self.backups.close(dead).await
    }
}

/// Dependencies that restores share with other parts.
struct Restoring {
    base: Base,
    verifier: Verifier,
    uploads: Arc<Uploads>,
    sources: Arc<Sources>,
    host: String,
    app_name: String,
    waiting: Arc<Waiting>,
}

impl Restoring {
    fn create(
        self,
        config: &BackupConfig,
        stored: &StoredBackups,
        (membership, limits): (Arc<Membership>, Limits),
        metrics: [KindMetrics; 3],
    ) -> Restores {
        let Self { base, verifier, uploads: admission, sources, host, app_name, waiting } = self;
        let Base { store, vault, clock, shutdown, vault_restored, .. } = base;
        let stall = limits.stall;
        let uploads = ArchiveUploads {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            admission: Arc::clone(&admission),
            folder: config.staging_folder(),
            host,
            stall,
        };
        let archives = Archives {
            rereading: Arc::clone(&stored.rereading),
            uploads: Arc::new(uploads),
            admission,
            vault: vault.clone(),
            memory: verifier.cost().memory,
            stall,
        };
        let archives = Arc::new(archives);
        let base = restore::Base {
            store,
            vault,
            clock,
            sources,
            archives,
            verifier,
            shutdown,
            app_name,
            waiting,
            vault_restored,
        };
        let makers = (Arc::clone(&stored.creations), stored.catalogue.clone());
        Restores::create(base, membership, makers, limits, metrics)
    }
}

/// The dependencies that all code for stored backups shares.
fn base(
    config: &Config,
    store: Arc<dyn Store>,
    (vault, clock): (&VaultClient, &Arc<dyn Clock>),
    shutdown: &Shutdown,
) -> Result<Base> {
    Ok(Base {
        store,
        vault: vault.clone(),
        clock: Arc::clone(clock),
        destinations: Arc::new(Destinations::create(&config.destinations)?),
        wake: Arc::default(),
        vault_restored: Arc::default(),
        shutdown: shutdown.clone(),
    })
}

fn context(
    config: &Config,
    sources: &Arc<Sources>,
    vault: &VaultClient,
    clock: &Arc<dyn Clock>,
    counted: &BackupMetrics,
    own: Arc<dyn OwnRecords>,
) -> Result<AssemblyContext> {
    let policy = SealPolicy::create(&config.seal)?;
    policy.warn();
    let level = config.backup.compression_level;
    let compression = level.map_or(Ok(Compression::default()), Compression::level);
    Ok(AssemblyContext {
        app: config.app.clone(),
        policy,
        sources: Arc::clone(sources),
        vault: vault.clone(),
        compression: compression.map_err(|error| Error::Config(format!("compression_level: {error}")))?,
        clock: Arc::clone(clock),
        metrics: counted.exports(),
        own,
    })
}

fn limits_of_exports(config: &BackupConfig) -> (Limits, Lifetime) {
    let (limits, making) = limits(config, config.export_limit_seconds, config.concurrent_exports);
    (limits, Lifetime { making, pins: Some(i64::from(config.pin_days) * 24 * HOUR) })
}

/// While a backup is being made, its pins expire a day after its deadline; once it is stored, it is pinned permanently.
fn limits_of_creations(config: &BackupConfig) -> (Limits, Lifetime) {
    let (limits, making) = limits(config, config.create_limit_seconds, config.concurrent_backups);
    (limits, Lifetime { making, pins: Some(making.saturating_add(24 * HOUR)) })
}

/// Time between the deletion of a backup and the deletion of its files.
fn delay(config: &BackupConfig) -> i64 {
    i64::from(config.delete_delay_hours) * HOUR
}

fn limits_of_downloads(config: &BackupConfig) -> Limits {
    limits(config, DOWNLOAD_SECONDS, config.concurrent_downloads).0
}

/// Dependencies that the export and import of tables share with other parts.
fn moving(
    config: &Config,
    base: &Base,
    (sources, uploads): (&Arc<Sources>, &Arc<Uploads>),
    memory: MemoryLimits,
) -> moving::Base {
    let Base { store, vault, clock, shutdown, .. } = base.clone();
    let (sources, uploads) = (Arc::clone(sources), Arc::clone(uploads));
    moving::Base { app: config.app.clone(), store, vault, clock, sources, uploads, memory, shutdown }
}

/// Dependencies that drills share with restores.
fn drilling(config: &Config, restores: &Restores, stored: &StoredBackups) -> Result<drills::Base> {
    let restore::Base { store, vault, clock, sources, archives, verifier, .. } = restores.base().clone();
    let (catalogue, places) = (stored.catalogue.clone(), ScratchPlaces::create(&config.drill)?);
    Ok(drills::Base { store, vault, clock, sources, catalogue, archives, verifier, places })
}

fn reencryptions(
    config: &BackupConfig,
    (vault, clock, sources): (&VaultClient, &Arc<dyn Clock>, &Arc<Sources>),
    membership: &Arc<Membership>,
    metrics: KindMetrics,
) -> Reencryptions {
    let (vault, clock, sources) = (vault.clone(), Arc::clone(clock), Arc::clone(sources));
    let base = reencryption::Base { vault, clock, sources };
    let limits = limits(config, REENCRYPTION_SECONDS, config.concurrent_restores).0;
    Reencryptions::create(base, Arc::clone(membership), limits, metrics)
}

/// Maximum duration of a re-encryption; another one continues with the rest.
const REENCRYPTION_SECONDS: u64 = 12 * 3600;

/// Maximum duration of a download, which can be resumed.
const DOWNLOAD_SECONDS: u64 = 24 * 3600;

/// The second value is the maximum duration in microseconds.
fn limits(config: &BackupConfig, seconds: u64, concurrent: usize) -> (Limits, i64) {
    let (duration, stall) = (Duration::from_secs(seconds), Duration::from_secs(config.stall_seconds));
    let longest = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    (Limits { duration, stall, concurrent }, longest)
}

/// Metrics of each kind of operation.
struct Counted {
    /// All kinds, as the status lists them.
    kinds: Vec<KindMetrics>,
    of_exports: KindMetrics,
    others: [KindMetrics; 3],
    of_restores: [KindMetrics; 3],
    of_moves: [KindMetrics; 2],
    of_reencryptions: KindMetrics,
    of_drills: KindMetrics,
}

impl Counted {
    fn of(counted: &BackupMetrics) -> Self {
        let of_exports = counted.export_kind(export::KIND.name);
        let others = [CREATION.name, DOWNLOAD.name, verification::KIND.name].map(|name| counted.kind(name));
        let of_restores = [restore::PLAN.name, restore::APPLY.name, restore::ROLLBACK.name];
        let of_restores = of_restores.map(|name| counted.kind(name));
        let of_moves = [moving::EXPORT.name, moving::IMPORT.name].map(|name| counted.kind(name));
        let of_reencryptions = counted.kind(reencryption::KIND.name);
        let of_drills = counted.kind(drills::KIND.name);
        let last = [of_reencryptions.clone(), of_drills.clone()];
        let kinds = [&[of_exports.clone()][..], &others, &of_restores, &of_moves, &last].concat();
        Self { kinds, of_exports, others, of_restores, of_moves, of_reencryptions, of_drills }
    }
}

/// Kinds of operations with their maximum durations. A start event that has no closing event after that time gets one.
fn closed(
    exports: Limits,
    creations: Limits,
    downloads: Limits,
    restores: Limits,
) -> Vec<(&'static operation::Kind, Duration)> {
    vec![
        (&export::KIND, exports.duration),
        (&CREATION, creations.duration),
        (&DOWNLOAD, downloads.duration),
        (&restore::APPLY, restores.duration),
        (&restore::ROLLBACK, restores.duration),
        (&moving::EXPORT, exports.duration),
        (&moving::IMPORT, restores.duration),
        (&reencryption::KIND, Duration::from_secs(REENCRYPTION_SECONDS)),
    ]
}

fn waiting(metrics: &Metrics) -> Arc<Waiting> {
    let waiting = Arc::<Waiting>::default();
    let (name, help) = (
        "strongroom_backup_restores_waiting",
        "Restores that cannot be brought to their end now, and are tried again.",
    );
    let counted = Arc::clone(&waiting);
    metrics.sampled(Kind::Gauge, name, help, &[], move || vec![Sample::plain(counted.count() as f64)]);
    waiting
}

fn sample_staging(metrics: &Metrics, uploads: &Arc<Uploads>) {
    let (name, help) = (
        "strongroom_backup_staged_bytes",
        "Bytes of files that are staged in order to be verified or restored.",
    );
    let uploads = Arc::clone(uploads);
    metrics.sampled(Kind::Gauge, name, help, &[], move || vec![Sample::plain(uploads.staged_bytes() as f64)]);
}

/// Admission and limits of everything that is staged.
fn uploads(config: &BackupConfig, metrics: &Metrics) -> Arc<Uploads> {
    let staging_dir = config.staging_folder();
    incoming::warn(&staging_dir);
    let (bytes, staged_bytes) = (config.upload_limit_bytes, config.staging_limit_bytes);
    let uploads = Arc::new(Uploads::create(UploadLimits { bytes, staged_bytes, staging_dir }));
    sample_staging(metrics, &uploads);
    uploads
}

fn cost(config: &BackupConfig) -> Cost {
    Cost {
        concurrent: config.concurrent_verifications,
        memory: MemoryLimits {
            row: config.verify_row_limit_bytes,
            manifest: config.verify_manifest_limit_bytes,
        },
        processor: Duration::from_secs(config.verify_processor_seconds),
    }
}
