//! Connections of the admin port, each for a short time and few at once: a probe must get through whoever else calls.

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

/// Open at the same time. One more closes the oldest that has not asked anything yet, or is refused.
pub(super) const CONNECTIONS: usize = 32;
/// How long the head of a request may take.
pub(super) const HEAD: Duration = Duration::from_secs(5);
/// The longest life of a connection: its one request, the page's patience, and time to take the answer.
const LIFE: Duration = Duration::from_secs(15);
/// The longest head of a request, in bytes and in lines.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// A connection, and whether its request has come.
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

/// Makes room. False when every connection waits for an answer.
fn evict(oldest_first: &mut VecDeque<Open>) -> bool {
    let silent = oldest_first.iter().position(|open| !open.has_asked.load(Ordering::Relaxed));
    let Some(silent) = silent.and_then(|at| oldest_first.remove(at)) else { return false };
    silent.task.abort();
    true
}

/// One request a connection: with a second one, it would be neither silent nor busy between the two.
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
    // A client that is too slow, or does not speak HTTP, sees the connection end.
    let _ = timeout(LIFE, serving).await;
}
