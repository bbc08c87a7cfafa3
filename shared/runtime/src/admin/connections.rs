//! Connections of the admin port, each for a short time and few at once: a probe must get through whoever else calls.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::peer::Peer;

/// Open at the same time. One more closes the oldest.
pub(super) const CONNECTIONS: usize = 32;
/// How long the head of a request may take, and the wait for the next one.
pub(super) const HEAD: Duration = Duration::from_secs(5);
/// The longest life of a connection, whatever it does.
const LIFE: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes and in lines.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// Serves `routes` for as long as it is polled; dropping it closes every connection.
pub(super) async fn serve(listener: TcpListener, routes: Router) {
    let mut running = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot take a connection now");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while running.try_join_next().is_some() {}
        oldest_first.retain(|connection| !connection.is_finished());
        if oldest_first.len() >= CONNECTIONS
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        oldest_first.push_back(running.spawn(connection(stream, routes.clone())));
    }
}

async fn connection(stream: TcpStream, routes: Router) {
    let Ok(address) = stream.peer_addr() else { return };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(address));
        routes.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // Who is cut, or sends what is no HTTP, learns it from the connection's end.
    let _ = timeout(LIFE, serving).await;
}
