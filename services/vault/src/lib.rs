//! The vault: it owns encryption and secrets.
//!
//! `grpc` parses requests, calls a noun and converts its answer. The nouns decide: `credentials`, `keys`, `crypto`,
//! `access`, `audit` and `source`, each a type over the parts that it needs. `store` is the database. `bootstrap`
//! builds them at start-up, `background` runs their tasks. Imports point down in this order; only `store` names sqlx,
//! only `grpc` and `error` name tonic.

mod access;
mod audit;
mod background;
mod bootstrap;
mod config;
mod credentials;
mod crypto;
mod error;
mod grpc;
mod keys;
mod source;
mod store;

use std::sync::Arc;

use strongroom_runtime::server::{self, Limits, Serve, ServerTls};
use strongroom_runtime::{Clock, Shutdown};
use tokio::net::TcpListener;

pub use config::{ConfigFile, IdentityConfig, VaultConfig};
pub use error::Error;

/// Opens the database, the key ring and the first admin token, then serves until `shutdown`.
///
/// # Errors
/// One sentence about the configuration, the database or the root key when the vault cannot run.
pub async fn serve(
    config: VaultConfig,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let tls = config.tls.clone().map(ServerTls::load).transpose()?;
    let vault = Arc::new(bootstrap::open(&config, clock, shutdown.clone()).await?);
    // Dropped with the server, so that no task outlives this call.
    let mut background = background::start(&vault, &shutdown);
    let serve = Serve {
        listener,
        routes: grpc::routes(&vault),
        services: grpc::SERVICES,
        authenticator: Arc::new(grpc::OwnAuthenticator {
            tokens: Arc::clone(&vault.tokens),
            identities: Arc::clone(&vault.identities),
        }),
        tls,
        plaintext: config.plaintext,
        limits: Limits::default(),
        metrics: Default::default(),
    };
    server::serve(serve, shutdown).await?;
    while background.join_next().await.is_some() {}
    Ok(())
}
