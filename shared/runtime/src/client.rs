//! Connecting to a service: the channel, its TLS, and the token on each call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::error::{Error, Result};
use crate::plaintext;
use crate::rpc::Traced;
use crate::tls::connect::{self, Connector};
use crate::tls::{ALPN, ClientTls};

/// Receive windows: they limit a download's rate (window ÷ round trip).
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Maximum frame size: an archive chunk arrives in one frame instead of seventeen (docs/performance.md, gRPC).
const FRAME: u32 = 512 << 10;

const CONNECT: Duration = Duration::from_secs(5);

/// Address of a service, and how to trust it. A channel reads the files again before each connection.
// Serialised only to show the default in the configuration reference.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// The address: `https://HOST:PORT` or `http://HOST:PORT`.
    pub url: String,
    /// The certificate authorities of the called service, PEM; the system's if it is not set.
    pub ca_file: Option<PathBuf>,
    /// The client certificate to show, PEM, if the called service asks for one.
    pub cert_file: Option<PathBuf>,
    /// The private key of `cert_file`, PEM. Only its owner may read the file (mode 0600).
    pub key_file: Option<PathBuf>,
    /// Permits an `http://` address on another machine; only for networks that encrypt their traffic.
    pub plaintext: bool,
}

/// A channel that puts a token on each call.
pub type AuthorizedChannel = InterceptedService<Traced<Channel>, Bearer>;

impl Target {
    /// [`Self::channel`], with `bearer` on each call, in the caller's trace.
    ///
    /// # Errors
    /// Those of [`Self::channel`].
    pub fn authorized(&self, bearer: Bearer) -> Result<AuthorizedChannel> {
        Ok(InterceptedService::new(Traced::new(self.channel()?), bearer))
    }

    /// A channel that connects at its first call and reconnects when necessary.
    ///
    /// # Errors
    /// [`Error::Transport`] for an unusable URL, [`Error::PlaintextTarget`], [`Error::File`] for an unreadable
    /// certificate, [`Error::Exposed`] for a key that others can read.
    pub fn channel(&self) -> Result<Channel> {
        self.tuned_channel(tuned)
    }

    /// [`Self::channel`] whose calls end after `time`, whatever the server does.
    ///
    /// # Errors
    /// Those of [`Self::channel`].
    pub(crate) fn channel_within(&self, time: Duration) -> Result<Channel> {
        self.tuned_channel(|endpoint| tuned(endpoint).timeout(time))
    }

    fn tuned_channel(&self, tuned: impl FnOnce(Endpoint) -> Endpoint) -> Result<Channel> {
        let unusable = |why: &str| {
            Error::Transport(format!(
                "{:?} is not an address; expected https://HOST:PORT or http://HOST:PORT{why}",
                self.url
            ))
        };
        let endpoint =
            Endpoint::from_shared(self.url.clone()).map_err(|error| unusable(&format!(" ({error})")))?;
        let url = endpoint.uri().clone();
        plaintext::check_target(&url, self.plaintext)?;
        match url.scheme_str() {
            Some("https") => self.encrypted(&url, tuned),
            Some("http") => Ok(tuned(endpoint).connect_timeout(CONNECT).connect_lazy()),
            _ => Err(unusable("")),
        }
    }

    fn encrypted(&self, url: &http::Uri, tuned: impl FnOnce(Endpoint) -> Endpoint) -> Result<Channel> {
        let connector = Connector::new(url, self.tls()?, CONNECT)?;
        let endpoint = Endpoint::from(connect::address(url)?).origin(url.clone());
        Ok(tuned(endpoint).connect_with_connector_lazy(connector))
    }

    fn tls(&self) -> Result<Arc<ClientTls>> {
        let own = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            _ => {
                let message = "a client certificate needs both a certificate and a key file";
                return Err(Error::Transport(message.into()));
            }
        };
        ClientTls::load(self.ca_file.clone(), own, &[ALPN])
    }
}

fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .tcp_nodelay(true)
}

/// Adds `authorization: Bearer …`, marked sensitive so that nothing logs it; adds nothing if the connection's
/// certificate identifies the caller.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// No token.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// A bearer of `token`.
    ///
    /// # Errors
    /// [`Error::Transport`] if it is empty or a header cannot carry it; the message does not repeat the token.
    pub fn new(token: &str) -> Result<Self> {
        // Some editors start a file with a byte order mark.
        let token = token.trim_start_matches('\u{feff}').trim();
        if token.is_empty() {
            return Err(Error::Transport("the token is empty".into()));
        }
        let mut value = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::Transport("the token contains characters that no token has".into()))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}
