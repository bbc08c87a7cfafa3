//! Reaching a service: the channel, its TLS, and the token on each call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::error::{Error, Result};
use crate::plaintext;
use crate::rpc::Traced;
use crate::secret_file;

/// Receiving windows: the receiver's window bounds a download (window ÷ round trip).
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Longest frame that is taken: a chunk of an archive in one, not in seventeen (docs/performance.md, gRPC).
const FRAME: u32 = 512 << 10;

/// Where a service is and how to trust it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Certificate authorities to trust, PEM; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, PEM, where the server asks for one.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM. Nobody else may read the file ([`crate::secret_file`]).
    pub key_file: Option<PathBuf>,
    /// Whether `http://` may lead to another machine, because something else encrypts.
    pub plaintext: bool,
}

/// A channel that puts a token on each call.
pub type AuthorizedChannel = InterceptedService<Traced<Channel>, Bearer>;

impl Target {
    /// [`Self::channel`], with `bearer` on each call and in the trace of whoever calls.
    ///
    /// # Errors
    /// Those of [`Self::channel`].
    pub fn authorized(&self, bearer: Bearer) -> Result<AuthorizedChannel> {
        Ok(InterceptedService::new(Traced::new(self.channel()?), bearer))
    }

    /// A channel that connects at its first call and again whenever it must.
    ///
    /// # Errors
    /// [`Error::Transport`] for an unusable URL, [`Error::PlaintextTarget`], [`Error::File`] for an unreadable
    /// certificate, [`Error::Exposed`] for a key that others can read.
    pub fn channel(&self) -> Result<Channel> {
        let unusable = |error: tonic::transport::Error| {
            Error::Transport(format!("{:?} is not an address; expected http://HOST:PORT ({error})", self.url))
        };
        let mut endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(unusable)?
            .connect_timeout(Duration::from_secs(5))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .tcp_nodelay(true);
        plaintext::check_target(endpoint.uri(), self.plaintext)?;
        if self.url.starts_with("https:") {
            endpoint = endpoint.tls_config(self.tls()?).map_err(|error| {
                let ca = match &self.ca_file {
                    Some(file) => format!("the authorities in {}", file.display()),
                    None => {
                        "this machine's own authorities, of which it may have none; name a CA file".into()
                    }
                };
                Error::Transport(format!("cannot trust {} by {ca} ({error})", self.url))
            })?;
        } else if !self.url.starts_with("http:") {
            return Err(Error::Transport(format!(
                "{:?} is not an address; expected http://HOST:PORT",
                self.url
            )));
        }
        Ok(endpoint.connect_lazy())
    }

    fn tls(&self) -> Result<ClientTlsConfig> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca_file {
            Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
            None => tls.with_enabled_roots(),
        };
        match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                Ok(tls.identity(Identity::from_pem(read(cert)?, secret_file::read(key)?)))
            }
            (None, None) => Ok(tls),
            _ => Err(Error::Transport("a client certificate needs both a certificate and a key file".into())),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

/// Adds `authorization: Bearer …`, marked sensitive so that nothing logs it.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    /// For `token`.
    ///
    /// # Errors
    /// [`Error::Transport`] when it is empty or cannot stand in a header; the token is not repeated.
    pub fn new(token: &str) -> Result<Self> {
        // A byte order mark is how some editors begin a file.
        let token = token.trim_start_matches('\u{feff}').trim();
        if token.is_empty() {
            return Err(Error::Transport("the token is empty".into()));
        }
        let mut value = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::Transport("the token contains characters that no token has".into()))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
