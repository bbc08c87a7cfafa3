//! The backup service: reads every database that the platform owns, and the vault's own tables, each in one
//! consistent snapshot, and streams them out as one archive while it is built.
//!
//! `grpc` parses and answers; `export` owns a running export; `set` and `source` know what is read; `vault` is
//! the client of the vault, which is asked for everything about keys, callers and the audit log.

mod auth;
pub mod config;
mod credentials;
mod error;
mod export;
mod grpc;
mod leftovers;
mod seal;
mod set;
mod source;
mod time;
mod vault;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::backup_service_server::BackupServiceServer;
use strongroom_archive::Compression;
use strongroom_runtime::server::{self, Limits, Serve};
use strongroom_runtime::{Authenticator, Clock, Shutdown};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::{AppConfig, BackupConfig, Config, SealConfig, SourceConfig, SourceKind, WITHOUT_RECOVERY};
pub use error::{Error, Result};

use auth::VaultAuthenticator;
use export::{ExportLimits, Exports};
use grpc::BackupGrpc;
use leftovers::Leftovers;
use seal::SealPolicy;
use set::BackupSet;
use vault::Vault;
use verify::{Verifications, VerifyLimits};

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
    let bearer = credentials::own_bearer(&config.backup)?;
    let target = config.backup.vault_target();
    let vault = Vault::create(&target, &bearer)?;
    let set = Arc::new(BackupSet::create(target, bearer, &config.sources)?);
    set.check_at_start().await?;

    let policy = SealPolicy::create(&config.seal)?;
    policy.warn();
    let limits = limits(&config.backup)?;
    let instance = credentials::instance(&config.backup);
    let leftovers = Leftovers::create(vault.clone(), Arc::clone(&clock), instance.clone(), limits.duration);
    let leftovers = Arc::new(leftovers);
    let closing = tokio::spawn({
        let (leftovers, shutdown) = (Arc::clone(&leftovers), shutdown.clone());
        async move { leftovers.keep_closing(shutdown).await }
    });
    let exports = Exports::create(
        config.app,
        policy,
        Arc::clone(&set),
        vault.clone(),
        leftovers,
        instance,
        limits,
        clock,
    );
    let exports = Arc::new(exports);
    let verifications = Arc::new(Verifications::create(vault.clone(), verify_limits(&config.backup)));
    tracing::info!(sources = config.sources.len(), "the backup service is open");

    let authenticator: Arc<dyn Authenticator> = Arc::new(VaultAuthenticator::create(vault));
    let grpc = BackupGrpc {
        exports: Arc::clone(&exports),
        verifications: Arc::clone(&verifications),
        set,
        authenticator: Arc::clone(&authenticator),
    };
    let routes = Routes::new(BackupServiceServer::new(grpc).max_decoding_message_size(REQUEST_BYTES));
    let (tls, plaintext, limits) = (config.backup.tls, config.backup.plaintext, Limits::default());
    let serving = Serve { listener, routes, services: SERVICES, authenticator, tls, plaintext, limits };
    let ended = server::serve(serving, shutdown.clone()).await;
    shutdown.begin();
    tokio::join!(exports.stop(), verifications.stop());
    // It only waits for the shutdown, which has begun.
    let _ = closing.await;
    Ok(ended?)
}

fn limits(config: &BackupConfig) -> Result<ExportLimits> {
    let level = config.compression_level;
    let compression = level.map_or(Ok(Compression::default()), Compression::level);
    Ok(ExportLimits {
        duration: Duration::from_secs(config.export_limit_seconds),
        stall: Duration::from_secs(config.stall_seconds),
        concurrent: config.concurrent_exports,
        compression: compression.map_err(|error| Error::Config(format!("compression_level: {error}")))?,
    })
}

fn verify_limits(config: &BackupConfig) -> VerifyLimits {
    VerifyLimits {
        duration: Duration::from_secs(config.verify_limit_seconds),
        stall: Duration::from_secs(config.stall_seconds),
        concurrent: config.concurrent_verifications,
        upload_bytes: config.upload_limit_bytes,
        staging_dir: config.staging_dir.clone().unwrap_or_else(std::env::temp_dir),
    }
}
