//! The vault: it owns encryption and secrets.
//!
//! `grpc` parses, calls and converts; the nouns (`credentials`, `references`, `tokens`, `audit`, `keys`) decide;
//! `store` keeps. Only `store` and what opens it names sqlx, only `grpc`, `convert` and `error` name tonic.

mod access;
mod audit;
mod background;
mod bootstrap;
mod ciphertexts;
mod config;
mod convert;
mod credentials;
mod error;
mod fields;
mod grpc;
mod keys;
mod log;
mod lookups;
mod opening;
mod paging;
mod principals;
mod references;
mod requests;
mod resolution;
mod ring;
mod roles;
mod rotation;
mod seals;
mod signing;
mod source;
mod store;
mod sweep;
mod tokens;
mod vault;

use std::sync::Arc;

use strongroom_runtime::server::{self, Limits, Serve};
use strongroom_runtime::{Clock, Shutdown};
use tokio::net::TcpListener;

pub use config::{ConfigFile, VaultConfig};
pub use error::Error;

/// The name that errors carry as their domain.
const DOMAIN: &str = "vault.strongroom";

/// Opens the database, the key ring and the first admin token, then serves until `shutdown`.
///
/// # Errors
/// In one sentence, whatever keeps the vault from running: the configuration, the database, the root key.
pub async fn serve(
    config: VaultConfig,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let vault = Arc::new(bootstrap::open(&config, clock, shutdown.clone()).await?);
    tracing::info!(database = %vault.database, root_key = %vault.root_key_id(), "the vault is open");
    // Dropped with the server: nothing of it outlives this call.
    let mut background = background::start(&vault, &shutdown);
    let serve = Serve {
        listener,
        routes: grpc::routes(&vault),
        services: grpc::SERVICES,
        authenticator: Arc::new(access::Access::new(vault)),
        tls: config.tls,
        plaintext: config.plaintext,
        limits: Limits::default(),
    };
    server::serve(serve, shutdown).await?;
    while background.join_next().await.is_some() {}
    Ok(())
}
