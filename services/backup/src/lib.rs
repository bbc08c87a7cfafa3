//! The backup service: reads every database of the platform and the vault's own tables, each in one consistent
//! snapshot, and streams them as one archive while it is built.
//!
//! `grpc` parses and answers; `schedules`, `drills`, `restore`, `moving`, `reencryption`, `export`, `backups` and
//! `verification` do the work of a call, and `operation` everything around it; `assembly` makes archives, `incoming`
//! receives them; `sources` describes and reads the sources; `membership` tracks the processes that serve; `store` is
//! the service's own database; `vault_client` makes all calls to the vault about keys, callers and the audit log.
//! Imports point down, in this order.

mod assembly;
mod auth;
mod backoff;
mod backups;
mod bootstrap;
pub mod config;
mod drills;
mod error;
mod export;
mod grpc;
mod health;
mod incoming;
mod left_out;
mod membership;
mod metrics;
mod moving;
mod operation;
mod reencryption;
mod report;
mod restore;
mod said;
mod schedules;
mod seal;
mod secret_files;
mod source_watch;
mod sources;
mod store;
mod vault_client;
mod verification;

use std::sync::Arc;

use strongroom_api::backup::v1::backup_service_server::BackupServiceServer;
use strongroom_api::backup::v1::drill_service_server::DrillServiceServer;
use strongroom_api::backup::v1::restore_service_server::RestoreServiceServer;
use strongroom_api::backup::v1::schedule_service_server::ScheduleServiceServer;
use strongroom_api::backup::v1::tables_service_server::TablesServiceServer;
use strongroom_runtime::admin::{self, Site};
use strongroom_runtime::health::StatusApi;
use strongroom_runtime::server::{self, GZIP, Serve, ServerTls};
use strongroom_runtime::{Authenticator, Clock, Health, Metrics, Shutdown};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::{
    AppConfig, BackupConfig, Config, DestinationConfig, DrillConfig, SealConfig, SourceConfig, SourceKind,
    WITHOUT_RECOVERY,
};
pub use error::{
    DrillError, Error, FilesError, FilesRefusal, MoveError, ReencryptError, RestoreError, Result,
    ScheduleError,
};

use auth::VaultAuthenticator;
use bootstrap::Service;
use report::BackupReport;
use sources::Sources;
use vault_client::VaultClient;

/// Services of this process, for health and reflection.
const SERVICES: &[&str] = &[
    "strongroom.backup.v1.BackupService",
    "strongroom.backup.v1.DrillService",
    "strongroom.backup.v1.RestoreService",
    "strongroom.backup.v1.ScheduleService",
    "strongroom.backup.v1.TablesService",
    strongroom_runtime::health::SERVICE,
];
/// Requests are short lists of names, or pieces of files of at most half this size.
const REQUEST_BYTES: usize = 1 << 20;

/// Serves backups on `listener` until `shutdown`; running exports then have the drain time to end. `admin`, if given,
/// is served from the start.
///
/// # Errors
/// [`Error::Config`] and [`Error::TableTaken`] for an invalid configuration, [`Error::Runtime`] for unreadable files,
/// [`Error::Store`] for a database that cannot be opened, and an error if the server ends by itself.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<()> {
    config::check(&config)?;
    let database = bootstrap::database_url(&config.backup)?;
    bootstrap::check_own_files(&config, &database)?;
    let tls = config.backup.tls.clone().map(ServerTls::load).transpose()?;
    let (health, metrics) = (Health::new("backup", health::DEPENDENCIES, Arc::clone(&clock)), Metrics::new());
    health.expose(&metrics);
    let site = Site::new(health.clone(), metrics.clone());
    let _admin = admin::start(admin, site.clone());
    let bearer = secret_files::own_bearer(&config.backup)?;
    let target = config.backup.vault_target();
    let vault = VaultClient::create(&target, &bearer)?;
    let sources = Arc::new(Sources::create(target, bearer, &config.sources)?);
    let store = store::open(&database).await?;
    let checks = health::checks(&vault, &store, config.backup.staging_folder());
    let _checks = health.watch(checks, &shutdown);
    let all_were_read = sources.check().await?;

    let service =
        Service::create(&config, (store, vault.clone(), sources), (&metrics, clock), &shutdown).await?;
    let background = tokio::spawn(service.background(all_were_read, shutdown.clone()));
    let stopping = tokio::spawn(service.stop_in_time(shutdown.clone()));
    let report = service.report(&config.backup);
    site.publish(Arc::<BackupReport>::clone(&report));
    tracing::info!(
        sources = config.sources.len(),
        destinations = config.destinations.len(),
        "the backup service is open"
    );

    let authenticator: Arc<dyn Authenticator> = Arc::new(VaultAuthenticator::create(vault));
    let grpc = service.grpc(Arc::clone(&authenticator), shutdown.clone());
    let restores = RestoreServiceServer::new(service.restore_grpc(shutdown.clone()));
    let tables = TablesServiceServer::new(service.tables_grpc());
    let schedules = ScheduleServiceServer::new(service.schedule_grpc());
    let drills = DrillServiceServer::new(service.drill_grpc());
    let routes = Routes::new(
        BackupServiceServer::new(grpc).accept_compressed(GZIP).max_decoding_message_size(REQUEST_BYTES),
    )
    .add_service(restores.accept_compressed(GZIP).max_decoding_message_size(REQUEST_BYTES))
    .add_service(tables.accept_compressed(GZIP).max_decoding_message_size(REQUEST_BYTES))
    .add_service(schedules.accept_compressed(GZIP).max_decoding_message_size(REQUEST_BYTES))
    .add_service(drills.accept_compressed(GZIP).max_decoding_message_size(REQUEST_BYTES))
    .add_service(StatusApi::server(health.clone(), report));
    let (plaintext, limits) = (config.backup.plaintext, server::Limits::default());
    let services = SERVICES;
    shutdown.unless_begun(health.known_once()).await;
    let serving =
        Serve { listener, routes, services, authenticator, tls, plaintext, limits, health, metrics };
    let ended = server::serve(serving, shutdown.clone()).await;
    stopping.abort();
    shutdown.begin();
    service.stop().await;
    // The shutdown has begun, which ends all background tasks.
    let _ = background.await;
    service.leave().await;
    Ok(ended?)
}
