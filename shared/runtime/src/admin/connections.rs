//! Connections of the admin port: short-lived and few at once, so that a probe gets through whatever other clients do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Maximum number of open connections. One more closes the oldest that has not sent a request yet, or is refused.
pub(super) const CONNECTIONS: usize = 32;
/// Time limit for the head of a request.
pub(super) const HEAD: Duration = Duration::from_secs(5);
/// Maximum lifetime of a connection: its one request, the page's time limit, and time to read the answer.
const LIFE: Duration = Duration::from_secs(15);
/// Maximum size of the head of a request, in bytes and in lines.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// A connection, and whether its request has arrived.
struct Open {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

/// Serves `routes` for as long as it is polled; dropping it closes every connection.
pub(super) async fn serve(listener: TcpListener, routes: Router) {
    let mut running = JoinSet::new();
    let mut oldest_first: VecDeque<Open> = VecDeque::new();
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
        oldest_first.retain(|open| !open.task.is_finished());
        if oldest_first.len() >= CONNECTIONS && !evict(&mut oldest_first) {
            continue;
        }
        let has_asked = Arc::new(AtomicBool::new(false));
        let task = running.spawn(connection(stream, routes.clone(), Arc::clone(&has_asked)));
        oldest_first.push_back(Open { task, has_asked });
    }
}

/// Closes the oldest silent connection. False if every connection is waiting for an answer.
fn evict(oldest_first: &mut VecDeque<Open>) -> bool {
    let silent = oldest_first.iter().position(|open| !open.has_asked.load(Ordering::Relaxed));
    let Some(silent) = silent.and_then(|at| oldest_first.remove(at)) else { return false };
    silent.task.abort();
    true
}

/// One request per connection: between two requests, a connection would be neither silent nor busy.
async fn connection(stream: TcpStream, routes: Router, has_asked: Arc<AtomicBool>) {
    let Ok(address) = stream.peer_addr() else { return };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(address));
        routes.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // If the client is too slow or does not speak HTTP, its connection ends without an answer.
    let _ = timeout(LIFE, serving).await;
}
