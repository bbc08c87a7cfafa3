//! Serving gRPC: limits, keepalive, TLS, health and reflection, and a shutdown that ends in time.

mod answering;
mod budget;
mod connection;
pub(crate) mod connections;
mod framing;
mod handshake;
mod incoming;
mod limits;
pub(crate) mod places;
mod receiving;
mod transport;
mod unencrypted;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::auth::{AuthLayer, Authenticator};
use crate::error::{Error, Result};
use crate::health::{self, Health};
use crate::metrics::{Certificates, Metrics, Rpc};
use crate::plaintext;
use crate::rpc::ObserveLayer;
use crate::shutdown::{DRAIN, STREAMS, Shutdown};
pub use crate::tls::{ClientCerts, ServerTls, TlsConfig};
use budget::Budget;
use connections::Connections;
use incoming::incoming;
pub use limits::Limits;
use places::CallPlaces;
use receiving::{Patience, ReceiveLayer, STREAM_WINDOW};

/// Compression that every service accepts for requests. Answers are not compressed: the length of a compressed answer
/// reveals something about a secret next to known text, and archives are already compressed.
pub const GZIP: CompressionEncoding = CompressionEncoding::Gzip;

/// Bytes that all streams of a connection together can send before they are read.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// A server to run.
pub struct Serve {
    /// A bound socket.
    pub listener: TcpListener,
    /// The service's own routes.
    pub routes: Routes,
    /// The full names of these services, for health and reflection.
    pub services: &'static [&'static str],
    /// Authenticates callers.
    pub authenticator: Arc<dyn Authenticator>,
    /// TLS, if any.
    pub tls: Option<Arc<ServerTls>>,
    /// Whether to serve other machines without TLS.
    pub plaintext: bool,
    /// Limits on callers.
    pub limits: Limits,
    /// Health of the process; the gRPC health of `services` follows it.
    pub health: Health,
    /// Metrics of calls and certificates.
    pub metrics: Metrics,
}

/// Binds `address`, which must be loopback unless there is `tls` or `plaintext` is allowed.
///
/// # Errors
/// [`Error::PlaintextListener`]; [`Error::Listen`] when the port is taken.
pub async fn listen(address: SocketAddr, tls: Option<&TlsConfig>, plaintext: bool) -> Result<TcpListener> {
    plaintext::check_listener(address, tls.is_some(), plaintext)?;
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until `shutdown`, then lets running calls continue for at most [`DRAIN`].
///
/// # Errors
/// [`Error::PlaintextListener`], [`Error::Serve`] if the server ends on its own.
pub async fn serve(serve: Serve, shutdown: Shutdown) -> Result<()> {
    if let Ok(address) = serve.listener.local_addr() {
        plaintext::check_listener(address, serve.tls.is_some(), serve.plaintext)?;
    }
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let following = health::follow(serve.health.clone(), reporter, serve.services);
    let server = server(&serve.limits);
    let names = serve.services;
    if let Some(tls) = &serve.tls {
        publish(tls, &serve.metrics);
    }
    let (stop, health) = (shutdown.clone(), serve.health);
    let draining = async move {
        stop.begun().await;
        health.stop();
    };
    let routes = add_reflection(serve.routes, names)?.add_service(health_service.accept_compressed(GZIP));
    let connections = Connections::new(serve.limits.connections);
    let receiving = receiving(&serve.limits, serve.authenticator.domain());
    let end = receiving.end.clone();
    let domain = serve.authenticator.domain();
    let places = CallPlaces::new(domain, serve.limits.calls, serve.limits.streamed);
    let serving = server
        .layer(ObserveLayer { metrics: Rpc::new(&serve.metrics, names) })
        .layer(AuthLayer::new(serve.authenticator, places))
        .layer(receiving)
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            incoming(serve.listener, connections, &serve.limits, serve.tls.clone()),
            draining,
        );
    tokio::select! {
        // Polled first, so that nobody is answered before the health is up to date.
        biased;
        () = following => Ok(()),
        ended = serving => Ok(ended?),
        () = certificates(serve.tls) => Ok(()),
        () = drained(&shutdown, &end) => {
            tracing::warn!(seconds = DRAIN.as_secs(), "calls were still running after the drain time; they are cut off");
            Ok(())
        }
    }
}

fn server(limits: &Limits) -> Server {
    // Pings detect a peer that is gone. `max_connection_age_grace` is unset: with it, tonic would cut calls that still
    // run at that age.
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .max_connection_age(limits.connection_age)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(2 * receiving::METADATA)
}

/// Follows the certificate files, if there are any. It never ends.
async fn certificates(tls: Option<Arc<ServerTls>>) {
    match tls {
        Some(tls) => tls.follow().await,
        None => std::future::pending().await,
    }
}

fn receiving(limits: &Limits, domain: &'static str) -> ReceiveLayer {
    let budget = Budget::new(domain, limits.principal_bytes, limits.process_bytes);
    let patience = Patience { idle: limits.receive_idle, total: limits.receive_total, domain };
    ReceiveLayer { budget, patience, end: CancellationToken::new() }
}

fn publish(tls: &ServerTls, metrics: &Metrics) {
    let state = tls.state();
    metrics.publish_certificates(move || Certificates {
        not_after: state.not_after().unwrap_or_default(),
        reloads: state.reloads(),
        failed_reloads: state.failed_reloads(),
    });
    let handshakes = Arc::clone(tls.handshakes());
    metrics.publish_handshakes(move || handshakes.counts());
}

/// Ends when the service must. Before that, it gives operations time to end their streams, and then cuts off the
/// streams that still run.
async fn drained(shutdown: &Shutdown, end: &CancellationToken) {
    shutdown.streams_end().await;
    let left = DRAIN - STREAMS;
    tokio::time::sleep(left / 2).await;
    end.cancel();
    tokio::time::sleep(left / 2).await;
}

/// Both versions of reflection: grpcurl asks for v1alpha if a server has no v1, and older versions ask only for
/// v1alpha.
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
        .add_service(builder().build_v1().map_err(unusable)?.accept_compressed(GZIP))
        .add_service(builder().build_v1alpha().map_err(unusable)?.accept_compressed(GZIP)))
}
