//! Connections of HTTP/1.1 clients, with the certificate authorities current at that moment.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use super::ClientTls;
use crate::error::Result;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects to `http:` and `https:` addresses of any host.
#[derive(Clone)]
pub struct HttpsConnector {
    tcp: HttpConnector,
    tls: Arc<ClientTls>,
    limit: Duration,
}

impl HttpsConnector {
    /// Trusts `authorities`, a PEM file that is reloaded when it changes, or those of the system. The TCP connection may
    /// take `limit`; name look-up, connection and TLS handshake together may take twice as long.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) and [`Error::Transport`](crate::Error::Transport) for unusable authorities.
    pub fn create(authorities: Option<PathBuf>, limit: Duration) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limit));
        tcp.enforce_http(false);
        Ok(Self { tcp, tls: ClientTls::load(authorities, None, &[])?, limit })
    }
}

impl Service<Uri> for HttpsConnector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let (tcp, tls, limit) = (self.tcp.clone(), Arc::clone(&self.tls), self.limit);
        Box::pin(async move {
            let mut connector = hyper_rustls::HttpsConnector::from((tcp, tls.fresh().await));
            let connected = timeout(2 * limit, connector.call(address)).await;
            connected.map_err(|_| "the TLS handshake took too long")?
        })
    }
}
