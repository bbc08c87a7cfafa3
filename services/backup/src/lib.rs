//! The backup service: reads every database that the platform owns, and the vault's own tables, each in one
//! consistent snapshot, and streams them out as one archive while it is built.
//!
//! `grpc` parses and answers; `export` and `verification` do the work of one call each, and `operation` everything
//! that surrounds it; `incoming` receives archives; `sources` knows what is read; `vault_client` asks the vault for
//! everything about keys, callers and the audit log. Imports point down, in this order.

mod auth;
mod backoff;
pub mod config;
mod error;
mod export;
mod grpc;
mod health;
mod incoming;
mod left_out;
mod metrics;
mod operation;
mod report;
mod said;
mod seal;
mod secret_files;
mod source_watch;
mod sources;
mod vault_client;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::backup_service_server::BackupServiceServer;
use strongroom_archive::Compression;
use strongroom_runtime::admin::{self, Site};
use strongroom_runtime::health::StatusApi;
use strongroom_runtime::metrics::{IntCounter, Kind, Sample};
use strongroom_runtime::server::{self, Serve, ServerTls};
use strongroom_runtime::{Authenticator, Clock, Health, Metrics, Shutdown};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::{AppConfig, BackupConfig, Config, SealConfig, SourceConfig, SourceKind, WITHOUT_RECOVERY};
pub use error::{Error, Result};

use auth::VaultAuthenticator;
use export::{ExportContext, Exports};
use grpc::BackupGrpc;
use incoming::{MemoryLimits, UploadLimits};
use metrics::{BackupMetrics, KindMetrics};
use operation::{Limits, Unfinished};
use report::BackupReport;
use seal::SealPolicy;
use source_watch::SourceWatch;
use sources::Sources;
use vault_client::VaultClient;
use verification::{Cost, Verifications};

/// Served here, for health and reflection.
const SERVICES: &[&str] = &["strongroom.backup.v1.BackupService", strongroom_runtime::health::SERVICE];
/// Requests are short lists of names, and pieces of files of half that at most.
const REQUEST_BYTES: usize = 1 << 20;

/// Serves backups on `listener` until `shutdown`; running exports then have the drain time to end. `admin`, where there is
/// one, is served from the first moment.
///
/// # Errors
/// [`Error::Config`] and [`Error::TableTaken`] for a configuration that cannot be meant,
/// [`Error::Runtime`] for unreadable files, and when the server ends by itself.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<()> {
    config::check(&config)?;
    let tls = config.backup.tls.clone().map(ServerTls::load).transpose()?;
    let (health, metrics) = (Health::new("backup", health::DEPENDENCIES, Arc::clone(&clock)), Metrics::new());
    health.expose(&metrics);
    let site = Site::new(health.clone(), metrics.clone());
    let _admin = admin::start(admin, site.clone());
    let bearer = secret_files::own_bearer(&config.backup)?;
    let target = config.backup.vault_target();
    let vault = VaultClient::create(&target, &bearer)?;
    let sources = Arc::new(Sources::create(target, bearer, &config.sources)?);
    let checks = health::checks(&vault, config.backup.staging_folder());
    let _checks = health.watch(checks, &shutdown);
    let all_were_read = sources.check().await?;

    let counted = BackupMetrics::new(&metrics, Arc::clone(&clock));
    let watch = Arc::new(SourceWatch::new(Arc::clone(&sources), Arc::clone(&clock), &metrics));
    let of_exports = counted.kind(export::KIND.name);
    let (exports, unfinished) = exports(&config, &sources, &vault, clock, (&counted, of_exports.clone()))?;
    let reading = (Arc::clone(&sources), all_were_read);
    let background = tokio::spawn(background(unfinished, reading, Arc::clone(&watch), shutdown.clone()));
    let exports = Arc::new(exports);
    let of_verifications = counted.kind(verification::KIND.name);
    let received = (of_verifications.clone(), counted.received_bytes());
    let verifications = Arc::new(verifications(&config.backup, vault.clone(), received));
    sample_staging(&metrics, &verifications);
    let stopping = stop_in_time(shutdown.clone(), Arc::clone(&exports), Arc::clone(&verifications));
    let stopping = tokio::spawn(stopping);
    let kinds = vec![
        (of_exports, config.backup.concurrent_exports),
        (of_verifications, config.backup.concurrent_uploads),
    ];
    let report = Arc::new(BackupReport { sources: watch, kinds, metrics: metrics.clone() });
    site.publish(Arc::<BackupReport>::clone(&report));
    tracing::info!(sources = config.sources.len(), "the backup service is open");

    let authenticator: Arc<dyn Authenticator> = Arc::new(VaultAuthenticator::create(vault));
    let grpc = BackupGrpc {
        exports: Arc::clone(&exports),
        verifications: Arc::clone(&verifications),
        sources,
        authenticator: Arc::clone(&authenticator),
    };
    let routes = Routes::new(BackupServiceServer::new(grpc).max_decoding_message_size(REQUEST_BYTES))
        .add_service(StatusApi::server(health.clone(), report));
    let (plaintext, limits) = (config.backup.plaintext, server::Limits::default());
    let services = SERVICES;
    shutdown.unless_begun(health.known_once()).await;
    let serving =
        Serve { listener, routes, services, authenticator, tls, plaintext, limits, health, metrics };
    let ended = server::serve(serving, shutdown.clone()).await;
    stopping.abort();
    shutdown.begin();
    tokio::join!(exports.stop(), verifications.stop());
    // The shutdown has begun, and ends both of its tasks.
    let _ = background.await;
    Ok(ended?)
}

/// What goes on beside calls, until `shutdown`: closing what an earlier process left open, reading the sources that could
/// not be read at the start, and looking at all of them.
async fn background(
    unfinished: Arc<Unfinished>,
    (sources, all_were_read): (Arc<Sources>, bool),
    watch: Arc<SourceWatch>,
    shutdown: Shutdown,
) {
    let checking = async {
        if !all_were_read {
            shutdown.unless_begun(sources.check_until_all_were_read(shutdown.clone())).await;
        }
    };
    tokio::join!(unfinished.keep_closing(shutdown.clone()), checking, watch.run(&shutdown));
}

/// Ends operations while there is time to record that, and to tell their clients.
async fn stop_in_time(shutdown: Shutdown, exports: Arc<Exports>, verifications: Arc<Verifications>) {
    shutdown.streams_end().await;
    tokio::join!(exports.stop(), verifications.stop());
}

/// Exports, and who closes those that an earlier process did not end.
fn exports(
    config: &Config,
    sources: &Arc<Sources>,
    vault: &VaultClient,
    clock: Arc<dyn Clock>,
    (counted, of_kind): (&BackupMetrics, KindMetrics),
) -> Result<(Exports, Arc<Unfinished>)> {
    let policy = SealPolicy::create(&config.seal)?;
    policy.warn();
    let backup = &config.backup;
    let limits = Limits {
        duration: Duration::from_secs(backup.export_limit_seconds),
        stall: Duration::from_secs(backup.stall_seconds),
        concurrent: backup.concurrent_exports,
    };
    let compression = backup.compression_level.map_or(Ok(Compression::default()), Compression::level);
    let compression = compression.map_err(|error| Error::Config(format!("compression_level: {error}")))?;
    let instance = secret_files::instance(backup);
    let kinds = vec![(&export::KIND, limits.duration)];
    let unfinished = Arc::new(Unfinished::create(vault.clone(), Arc::clone(&clock), instance, kinds));
    let (sources, vault) = (Arc::clone(sources), vault.clone());
    let (app, metrics) = (config.app.clone(), counted.exports());
    let longest = i64::try_from(limits.duration.as_micros()).unwrap_or(i64::MAX);
    let pins_for = i64::from(backup.pin_days) * 24 * 3600 * 1_000_000;
    let context =
        ExportContext { app, policy, sources, vault, compression, clock, metrics, longest, pins_for };
    Ok((Exports::create(context, Arc::clone(&unfinished), limits, of_kind), unfinished))
}

fn sample_staging(metrics: &Metrics, verifications: &Arc<Verifications>) {
    let (name, help) =
        ("strongroom_backup_staged_bytes", "Bytes of files that are staged in order to be verified.");
    let verifications = Arc::clone(verifications);
    metrics.sampled(Kind::Gauge, name, help, &[], move || {
        vec![Sample::plain(verifications.staged_bytes() as f64)]
    });
}

fn verifications(
    config: &BackupConfig,
    vault: VaultClient,
    received: (KindMetrics, IntCounter),
) -> Verifications {
    let limits = Limits {
        duration: Duration::from_secs(config.verify_limit_seconds),
        stall: Duration::from_secs(config.stall_seconds),
        concurrent: config.concurrent_uploads,
    };
    let uploads = UploadLimits {
        bytes: config.upload_limit_bytes,
        staged_bytes: config.staging_limit_bytes,
        staging_dir: config.staging_folder(),
    };
    let cost = Cost {
        concurrent: config.concurrent_verifications,
        memory: MemoryLimits {
            row: config.verify_row_limit_bytes,
            manifest: config.verify_manifest_limit_bytes,
        },
        processor: Duration::from_secs(config.verify_processor_seconds),
    };
    Verifications::create(vault, limits, uploads, cost, received)
}
