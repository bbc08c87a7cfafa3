//! A listener's certificates, and the client certificates that it asks for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use super::files::{Contents, Paths};
use super::handshakes::Handshakes;
use super::reload::{Built, Material, Reloaded};
use super::state::State;
use super::{ALPN, provider};
use crate::error::{Error, Result};

/// Default time between two checks of the files.
const LOOK: Duration = Duration::from_secs(5);

/// Certificates of a server. Without them it speaks plain HTTP/2: on loopback, and where that is allowed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, then the intermediate ones, PEM.
    pub cert_file: PathBuf,
    /// The private key of `cert_file`, PEM. Only its owner may read the file (mode 0600).
    pub key_file: PathBuf,
    /// The authorities of client certificates, PEM. Without it, clients are not asked for a certificate.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
    /// Whether a client must show a certificate of these authorities; `required` if it is not set.
    #[serde(default)]
    pub client_certs: Option<ClientCerts>,
    /// The time between two checks of the files for renewed certificates, in seconds.
    #[serde(default = "look", rename = "reload_seconds", deserialize_with = "seconds")]
    #[schemars(with = "f64", extend("default" = LOOK.as_secs(), "exclusiveMinimum" = 0))]
    pub reload: Duration,
}

/// Whether a server with `client_ca_file` insists on client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCerts {
    /// a client without a certificate is not served
    Required,
    /// a client may show a certificate, which must then be valid; a client without one needs a token
    Optional,
}

impl TlsConfig {
    /// A configuration with these files, without client certificates.
    #[must_use]
    pub fn new(cert_file: PathBuf, key_file: PathBuf) -> Self {
        Self { cert_file, key_file, client_ca_file: None, client_certs: None, reload: LOOK }
    }
}

fn look() -> Duration {
    LOOK
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| serde::de::Error::custom("reload_seconds must be more than 0"))
}

/// A listener's current certificates.
pub struct ServerTls {
    reloaded: Reloaded<ServerFiles>,
    reload: Duration,
    handshakes: Arc<Handshakes>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Exposed`] for a private key that others can read, [`Error::Transport`] for files that
    /// hold no certificate or key, or do not belong together.
    pub fn load(config: TlsConfig) -> Result<Arc<Self>> {
        if config.client_certs.is_some() && config.client_ca_file.is_none() {
            let message = "tls.client_certs needs tls.client_ca_file, the authorities of these certificates";
            return Err(Error::Transport(message.into()));
        }
        let paths =
            Paths { own: Some((config.cert_file, config.key_file)), authorities: config.client_ca_file };
        let optional = config.client_certs == Some(ClientCerts::Optional);
        let reloaded = Reloaded::load(ServerFiles { paths, optional })?;
        Ok(Arc::new(Self { reloaded, reload: config.reload, handshakes: Arc::default() }))
    }

    /// The state of the certificates.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(self.reloaded.state())
    }

    /// The failed handshakes.
    pub(crate) fn handshakes(&self) -> &Arc<Handshakes> {
        &self.handshakes
    }

    /// An acceptor with the files as last read.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.reloaded.current())
    }

    /// Checks the files at regular intervals, and at each SIGHUP. It never ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut hangups = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP does not reload certificates"))
            .ok();
        let mut ticks = interval(self.reload);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = hung_up(&mut hangups) => true,
            };
            let tls = Arc::clone(&self);
            // A file system can be slow.
            let looking = tokio::task::spawn_blocking(move || {
                if asked { tls.reloaded.look_when_asked() } else { tls.reloaded.look() }
            });
            let _ = looking.await;
        }
    }
}

async fn hung_up(hangups: &mut Option<Signal>) {
    let heard = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

struct ServerFiles {
    paths: Paths,
    /// Whether clients may connect without a certificate.
    optional: bool,
}

impl ServerFiles {
    fn verifier(&self, contents: &Contents) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
        let Some(roots) = self.paths.authorities(contents)? else { return Ok(None) };
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
        let verifier = if self.optional { verifier.allow_unauthenticated() } else { verifier };
        let built = verifier.build();
        built.map(Some).map_err(|error| Error::Transport(format!("tls.client_ca_file: {error}")))
    }
}

impl Material for ServerFiles {
    type Config = ServerConfig;

    fn what(&self) -> &'static str {
        "the certificate of this service"
    }

    fn paths(&self) -> &Paths {
        &self.paths
    }

    fn build(&self, contents: &Contents) -> Result<Built<ServerConfig>> {
        let own = self.paths.own(contents)?;
        let own = own.ok_or_else(|| Error::Transport("a server needs a certificate".into()))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| self.paths.refused(&error))?;
        let builder = match self.verifier(contents)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let built = builder.with_single_cert(own.chain, own.key);
        let mut config = built.map_err(|error| self.paths.refused(&error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Built { config, not_after: Some(own.not_after) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_testkit::{Authority, Mounted};

    use super::*;

    #[test]
    fn authorities_are_replaced_while_the_certificate_in_use_has_expired() {
        let folder = tempfile::tempdir().unwrap();
        let (authority, old, new) = (Authority::new("own"), Authority::new("old"), Authority::new("new"));
        let files = Mounted::create(folder.path().join("server"));
        files.put_certificate(&authority.issue_until(&["localhost"], 2020));
        files.put_authorities(&[&old]);
        let config = TlsConfig {
            client_ca_file: Some(files.path("ca.crt")),
            ..TlsConfig::new(files.path("tls.crt"), files.path("tls.key"))
        };
        let tls = ServerTls::load(config).unwrap();
        files.put_authorities(&[&new]);
        tls.reloaded.look();
        assert_eq!((tls.state().reloads(), tls.state().last_error()), (1, None));
        tls.reloaded.look_when_asked();
        assert_eq!(tls.state().reloads(), 1, "the files have not changed");
        files.put_certificate(&authority.issue_until(&["localhost"], 2021));
        tls.reloaded.look();
        assert_eq!((tls.state().reloads(), tls.state().failed_reloads()), (1, 1), "a new one must be valid");
    }
}
