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
mod incoming;
mod left_out;
mod operation;
mod seal;
mod secret_files;
mod sources;
mod vault_client;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::backup_service_server::BackupServiceServer;
use strongroom_archive::Compression;
use strongroom_runtime::server::{self, Serve};
use strongroom_runtime::{Authenticator, Clock, Shutdown};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::{AppConfig, BackupConfig, Config, SealConfig, SourceConfig, SourceKind, WITHOUT_RECOVERY};
pub use error::{Error, Result};

use auth::VaultAuthenticator;
use export::{ExportContext, Exports};
use grpc::BackupGrpc;
use incoming::{MemoryLimits, UploadLimits};
use operation::{Limits, Unfinished};
use seal::SealPolicy;
use sources::Sources;
use vault_client::VaultClient;
use verification::{Cost, Verifications};

/// Served here, for health and reflection.
const SERVICES: &[&str] = &["strongroom.backup.v1.BackupService"];
/// Requests are short lists of names, and pieces of files of half that at most.
const REQUEST_BYTES: usize = 1 << 20;

/// Serves backups on `listener` until `shutdown`; running exports then have the drain time to end.
///
/// # Errors
/// [`Error::Config`] and [`Error::TableTaken`] for a configuration that cannot be meant,
/// [`Error::Runtime`] for unreadable files, and when the server ends by itself.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<()> {
    config::check(&config)?;
    let bearer = secret_files::own_bearer(&config.backup)?;
    let target = config.backup.vault_target();
    let vault = VaultClient::create(&target, &bearer)?;
    let sources = Arc::new(Sources::create(target, bearer, &config.sources)?);
    let all_were_read = sources.check().await?;

    let (exports, unfinished) = exports(&config, &sources, &vault, clock)?;
    let background = tokio::spawn({
        let (sources, shutdown) = (Arc::clone(&sources), shutdown.clone());
        async move {
            let checking = async {
                if !all_were_read {
                    let reading = sources.check_until_all_were_read(shutdown.clone());
                    shutdown.unless_begun(reading).await;
                }
            };
            tokio::join!(unfinished.keep_closing(shutdown.clone()), checking);
        }
    });
    let exports = Arc::new(exports);
    let verifications = Arc::new(verifications(&config.backup, vault.clone()));
    tracing::info!(sources = config.sources.len(), "the backup service is open");

    let authenticator: Arc<dyn Authenticator> = Arc::new(VaultAuthenticator::create(vault));
    let grpc = BackupGrpc {
        exports: Arc::clone(&exports),
        verifications: Arc::clone(&verifications),
        sources,
        authenticator: Arc::clone(&authenticator),
    };
    let routes = Routes::new(BackupServiceServer::new(grpc).max_decoding_message_size(REQUEST_BYTES));
    let (tls, plaintext, limits) = (config.backup.tls, config.backup.plaintext, server::Limits::default());
    let serving = Serve { listener, routes, services: SERVICES, authenticator, tls, plaintext, limits };
    let ended = server::serve(serving, shutdown.clone()).await;
    shutdown.begin();
    tokio::join!(exports.stop(), verifications.stop());
    // The shutdown has begun, and ends both of its tasks.
    let _ = background.await;
    Ok(ended?)
}

/// Exports, and who closes those that an earlier process did not end.
fn exports(
    config: &Config,
    sources: &Arc<Sources>,
    vault: &VaultClient,
    clock: Arc<dyn Clock>,
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
    let context = ExportContext { app: config.app.clone(), policy, sources, vault, compression, clock };
    Ok((Exports::create(context, Arc::clone(&unfinished), limits), unfinished))
}

fn verifications(config: &BackupConfig, vault: VaultClient) -> Verifications {
    let limits = Limits {
        duration: Duration::from_secs(config.verify_limit_seconds),
        stall: Duration::from_secs(config.stall_seconds),
        concurrent: config.concurrent_uploads,
    };
    let uploads = UploadLimits {
        bytes: config.upload_limit_bytes,
        staged_bytes: config.staging_limit_bytes,
        staging_dir: config.staging_dir.clone().unwrap_or_else(std::env::temp_dir),
    };
    let cost = Cost {
        concurrent: config.concurrent_verifications,
        memory: MemoryLimits {
            row: config.verify_row_limit_bytes,
            manifest: config.verify_manifest_limit_bytes,
        },
        processor: Duration::from_secs(config.verify_processor_seconds),
    };
    Verifications::create(vault, limits, uploads, cost)
}
