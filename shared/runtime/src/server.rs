//! Serving gRPC: limits, keepalive, TLS, health and reflection, and an end that comes in time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;

use crate::auth::{AuthLayer, Authenticator};
use crate::error::{Error, Result};
use crate::shutdown::{DRAIN, Shutdown};

/// Certificates of a server. Without them it speaks plain HTTP/2: for loopback and meshes only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
    /// When given, clients must show a certificate of one of these authorities, PEM.
    pub client_ca_file: Option<PathBuf>,
}

/// What a process serves.
pub struct Serve {
    /// A bound socket.
    pub listener: TcpListener,
    /// The service's own routes.
    pub routes: Routes,
    /// The full names of these services, for health and reflection.
    pub services: &'static [&'static str],
    /// Who may call.
    pub authenticator: Arc<dyn Authenticator>,
    /// Encryption, if any.
    pub tls: Option<TlsConfig>,
}

/// Binds `address`.
///
/// # Errors
/// [`Error::Listen`] when the port is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until `shutdown`, then lets running calls go on for [`DRAIN`] at most.
///
/// # Errors
/// [`Error::Transport`] for unusable certificates, [`Error::Serve`] when the server ends by itself.
pub async fn serve(serve: Serve, shutdown: Shutdown) -> Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in serve.services {
        health.set_service_status(*name, ServingStatus::Serving).await;
    }
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .max_concurrent_streams(1024)
        .http2_max_header_list_size(16 * 1024)
        .tcp_nodelay(true);
    if let Some(tls) = &serve.tls {
        server = server.tls_config(tls_config(tls)?)?;
    }
    let names = serve.services;
    let stop = shutdown.clone();
    let draining = async move {
        stop.begun().await;
        for name in names.iter().copied().chain([""]) {
            health.set_service_status(name, ServingStatus::NotServing).await;
        }
    };
    let routes = add_reflection(serve.routes, names)?.add_service(health_service);
    let serving = server
        .layer(AuthLayer::new(serve.authenticator))
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpIncoming::from(serve.listener).with_nodelay(Some(true)), draining);
    tokio::select! {
        ended = serving => Ok(ended?),
        () = drained(&shutdown) => {
            tracing::warn!(seconds = DRAIN.as_secs(), "calls were still running after the drain time; they are cut");
            Ok(())
        }
    }
}

async fn drained(shutdown: &Shutdown) {
    shutdown.begun().await;
    tokio::time::sleep(DRAIN).await;
}

/// Both versions of reflection: grpcurl asks for v1alpha where a server has no v1, older ones only for that.
fn add_reflection(routes: Routes, services: &'static [&'static str]) -> Result<Routes> {
    let builder = || {
        let mut builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(strongroom_api::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        for name in services {
            builder = builder.with_service_name(*name);
        }
        builder
    };
    let unusable = |error| Error::Transport(format!("reflection: {error}"));
    Ok(routes
        .add_service(builder().build_v1().map_err(unusable)?)
        .add_service(builder().build_v1alpha().map_err(unusable)?))
}

fn tls_config(tls: &TlsConfig) -> Result<ServerTlsConfig> {
    let identity = Identity::from_pem(read(&tls.cert_file)?, read(&tls.key_file)?);
    let config = ServerTlsConfig::new().identity(identity);
    Ok(match &tls.client_ca_file {
        Some(file) => config.client_ca_root(Certificate::from_pem(read(file)?)),
        None => config,
    })
}

fn read(path: &PathBuf) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { action: "read", path: path.clone(), source })
}
