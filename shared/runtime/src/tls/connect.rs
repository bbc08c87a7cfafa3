//! A client's connections: TCP, then a handshake with the certificates current at that moment.
//!
//! tonic's own TLS reads its certificates once. This connector works below it; tonic calls it with an `http:` address,
//! and so adds no TLS of its own ([`address`]).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::{ALPN, ClientTls};
use crate::error::{Error, Result};

/// Time limit for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time limit for a server's first bytes. Our servers send at once; a server that waits for its client is not waited
/// for.
const FIRST_WORD: Duration = Duration::from_millis(500);
const HTTPS: u16 = 443;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects to one service.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientTls>,
    name: ServerName<'static>,
}

impl Connector {
    /// For the service at `url`, whose certificate must carry the host's name.
    ///
    /// # Errors
    /// [`Error::Transport`] if the host is invalid.
    pub(crate) fn new(url: &Uri, tls: Arc<ClientTls>, connect_timeout: Duration) -> Result<Self> {
        let host = url.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| Error::Transport(format!("{host:?} is not a host ({error})")))?;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        Ok(Self { tcp, tls, name })
    }
}

/// The address to connect to for `url`: the same host and port, with the scheme that keeps tonic from adding TLS.
pub(crate) fn address(url: &Uri) -> Result<Uri> {
    let invalid =
        |error: &dyn std::fmt::Display| Error::Transport(format!("{url} is not an address ({error})"));
    let host = url.host().unwrap_or_default();
    let authority = format!("{host}:{}", url.port_u16().unwrap_or(HTTPS));
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.parse::<Authority>().map_err(|error| invalid(&error))?);
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| invalid(&error))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = self.tcp.call(address);
        let (tls, name) = (Arc::clone(&self.tls), self.name.clone());
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            let connector = TlsConnector::from(tls.fresh().await);
            let shaken = timeout(HANDSHAKE, connector.connect(name, stream)).await;
            let mut stream = shaken.map_err(|_| "the TLS handshake took longer than five seconds")??;
            if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
                return Err("the server speaks TLS, but not HTTP/2; it is not a gRPC service".into());
            }
            hear(&mut stream).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

/// Waits for the server's first bytes without consuming them. In TLS 1.3 a client considers its connection established
/// before the server has seen the client's certificate: a refusal is in those first bytes, and would otherwise be lost
/// while the first call is sent.
async fn hear(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    match timeout(FIRST_WORD, stream.fill_buf()).await {
        Ok(Ok([])) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_an_address_is_said() {
        for (url, expected) in [
            ("https://vault", "http://vault:443/"),
            ("https://vault:7601/", "http://vault:7601/"),
            ("https://[::1]:1", "http://[::1]:1/"),
        ] {
            assert_eq!(address(&url.parse().unwrap()).unwrap().to_string(), expected);
        }
    }
}
