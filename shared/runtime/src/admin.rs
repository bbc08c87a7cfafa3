//! The admin port: plain HTTP for scrapers (`/metrics`), probes (`/livez`, `/readyz`) and people (`/`).
//!
//! It shows no secrets and needs no token, so it can listen on any address without certificates. It answers from
//! process start, including during a database migration. The page lists the platform's components, so only this machine
//! gets it: the peer and the `Host` must both be loopback. This keeps out other machines, and web pages whose name
//! resolves to this machine. `kubectl port-forward` satisfies both conditions.

mod config;
mod connections;
pub mod content;
mod page;
mod peer;
mod style;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::health::{Health, State};
use crate::metrics::{self, Metrics};
pub use config::{AdminConfig, BACKUP_PORT, VAULT_PORT};
use content::Section;
use peer::Peer;

const TEXT: &str = "text/plain; charset=utf-8";

/// Supplies the sections that the page shows besides version and dependencies.
#[async_trait]
pub trait Sections: Send + Sync + 'static {
    /// The current sections. A section that cannot be read says so.
    async fn sections(&self) -> Vec<Section>;
}

/// The content of a service's admin port. Clones share it.
#[derive(Clone)]
pub struct Site {
    pub(super) health: Health,
    metrics: Metrics,
    sections: Arc<OnceLock<Arc<dyn Sections>>>,
}

impl Site {
    /// A site that shows version and dependencies.
    #[must_use]
    pub fn new(health: Health, metrics: Metrics) -> Self {
        Self { health, metrics, sections: Arc::default() }
    }

    /// Adds the service's own sections once they are available.
    pub fn publish(&self, sections: Arc<dyn Sections>) {
        let _ = self.sections.set(sections);
    }
}

/// Binds the admin port.
///
/// # Errors
/// [`Error::ListenAdmin`].
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|source| Error::ListenAdmin { address, source })
}

/// Serves `site` on `listener`, if there is one, until the returned set is dropped.
#[must_use]
pub fn start(listener: Option<TcpListener>, site: Site) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(listener) = listener {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, service = site.health.service(), "metrics and probes are served");
        }
        task.spawn(connections::serve(listener, routes(site)));
    }
    task
}

fn routes(site: Site) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(site)
}

/// The process is running; `/readyz` says whether it can serve.
async fn livez() -> Response {
    answer(StatusCode::OK, TEXT, "ok\n")
}

async fn readyz(Shared(site): Shared<Site>) -> Response {
    let status = if site.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, TEXT, readiness(&site.health))
}

/// One line per dependency: its name, its state and, if it is failing, the reason.
fn readiness(health: &Health) -> String {
    let mut text = String::new();
    if health.is_stopping() {
        text.push_str("process: stopping\n");
    }
    for dependency in health.dependencies() {
        let (name, state) = (dependency.name, dependency.state.as_str());
        match dependency.state {
            State::Failing => text.push_str(&format!("{name}: {state}: {}\n", dependency.reason)),
            State::Ok | State::Starting => text.push_str(&format!("{name}: {state}\n")),
        }
    }
    text
}

async fn metrics(Shared(site): Shared<Site>) -> Response {
    answer(StatusCode::OK, metrics::CONTENT_TYPE, site.metrics.text())
}

async fn page(
    Shared(site): Shared<Site>,
    axum::Extension(peer): axum::Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = peer.check(&headers) {
        return answer(StatusCode::FORBIDDEN, TEXT, format!("{refusal}\n"));
    }
    let sections = site.sections.get().cloned();
    let html = page::render(&site.health, sections.as_deref()).await;
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", html);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, style::policy());
    response
}

async fn not_found() -> Response {
    answer(StatusCode::NOT_FOUND, TEXT, "This port answers GET /, /livez, /readyz and /metrics only.\n")
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
