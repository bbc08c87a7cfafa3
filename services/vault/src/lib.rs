//! The vault: it owns encryption and secrets.
//!
//! `grpc` parses requests, calls a domain module and converts its answer. The domain modules are `credentials`, `keys`,
//! `crypto`, `access`, `people`, `audit` and `source`; they make the decisions, and each has types that hold only the
//! parts that it needs, such as the store, the ring or the clock. `store` is the database. `bootstrap` builds the
//! domain modules' types at start-up and `background` runs their tasks; `health` and `page` report their state, and
//! `metrics` holds their counters. `grpc` imports the domain modules, and these import `store`, never the reverse;
//! `bootstrap` imports the domain modules and `store`. Only `store` names sqlx, and only `grpc` and `error` name tonic.

mod access;
mod audit;
mod background;
mod bootstrap;
mod config;
mod credentials;
mod crypto;
mod error;
mod grpc;
mod health;
mod identities;
mod keys;
mod metrics;
mod page;
mod people;
mod source;
mod store;
mod tampered;

use std::sync::Arc;

use strongroom_runtime::admin::{self, Site};
use strongroom_runtime::health::StatusApi;
use strongroom_runtime::server::{self, Limits, Serve, ServerTls};
use strongroom_runtime::{Clock, Health, Metrics, Shutdown};
use tokio::net::TcpListener;

pub use config::{ConfigFile, IdentityConfig, VaultConfig};
pub use error::Error;

/// Writes an admin token to `file`, which must not exist, for a vault whose admin tokens are lost. The vault can run
/// meanwhile; the audit log records the token.
///
/// # Errors
/// One sentence about the configuration, the database, the root key or the file.
pub async fn issue_admin_token(
    config: &VaultConfig,
    file: &std::path::Path,
    clock: &dyn Clock,
) -> Result<(), Error> {
    bootstrap::issue_admin_token(config, file, clock.now_micros()).await
}

/// Opens the database, the key ring and the first admin token, then serves until `shutdown`. The `admin` port, if
/// given, is served from the start.
///
/// # Errors
/// One sentence about the configuration, the database or the root key when the vault cannot run.
pub async fn serve(
    config: VaultConfig,
    listener: TcpListener,
    admin: Option<TcpListener>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let identities = identities::identities(&config)?;
    let tls = config.tls.clone().map(ServerTls::load).transpose()?;
    let (health, metrics) = (Health::new("vault", health::DEPENDENCIES, Arc::clone(&clock)), Metrics::new());
    health.expose(&metrics);
    let site = Site::new(health.clone(), metrics.clone());
    let _admin = admin::start(admin, site.clone());
    let vault = Arc::new(bootstrap::open(&config, identities, clock, shutdown.clone(), &metrics).await?);
    let _checks = health.watch(health::checks(&vault), &shutdown);
    site.publish(Arc::new(page::Page::new(Arc::clone(&vault), metrics.clone())));
    // Dropped with the server: no task outlives this call.
    let mut background = background::start(&vault, &shutdown);
    let serve = Serve {
        listener,
        routes: grpc::routes(&vault)
            .add_service(StatusApi::server(health.clone(), Arc::new(vault.metrics.tampered.clone()))),
        services: grpc::SERVICES,
        authenticator: Arc::new(grpc::OwnAuthenticator {
            tokens: Arc::clone(&vault.tokens),
            identities: Arc::clone(&vault.identities),
        }),
        tls,
        plaintext: config.plaintext,
        limits: Limits::default(),
        health: health.clone(),
        metrics,
    };
    shutdown.unless_begun(health.known_once()).await;
    server::serve(serve, shutdown).await?;
    while background.join_next().await.is_some() {}
    Ok(())
}
