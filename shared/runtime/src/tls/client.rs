//! The authorities that a client trusts, and the certificate that it shows.
//!
//! The files are checked before each connection, which is rare. If they become unusable, the previous ones stay in use,
//! so a renewal in two steps breaks nothing.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::files::{Contents, Paths};
use super::provider;
use super::reload::{Built, Material, Reloaded};
use crate::error::{Error, Result};

/// The current state of a client's side of TLS.
pub(crate) struct ClientTls(Reloaded<ClientFiles>);

impl ClientTls {
    /// Reads the files; without `authorities`, the system's are trusted. `protocols` are offered to servers (ALPN).
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Exposed`] for a key that others can read, [`Error::Transport`].
    pub(crate) fn load(
        authorities: Option<PathBuf>,
        own: Option<(PathBuf, PathBuf)>,
        protocols: &'static [&'static [u8]],
    ) -> Result<Arc<Self>> {
        let files = ClientFiles { paths: Paths { own, authorities }, protocols };
        Ok(Arc::new(Self(Reloaded::load(files)?)))
    }

    /// The configuration for a new connection, after a check of the files.
    pub(super) async fn fresh(self: Arc<Self>) -> Arc<ClientConfig> {
        let tls = Arc::clone(&self);
        let _ = tokio::task::spawn_blocking(move || tls.0.look()).await;
        self.0.current()
    }
}

struct ClientFiles {
    paths: Paths,
    protocols: &'static [&'static [u8]],
}

impl Material for ClientFiles {
    type Config = ClientConfig;

    fn what(&self) -> &'static str {
        "the certificate for calls to other services"
    }

    fn paths(&self) -> &Paths {
        &self.paths
    }

    fn build(&self, contents: &Contents) -> Result<Built<ClientConfig>> {
        let roots = match self.paths.authorities(contents)? {
            Some(roots) => roots,
            None => system_roots()?,
        };
        let refused = |error: rustls::Error| self.paths.refused(&error);
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots);
        let own = self.paths.own(contents)?;
        let not_after = own.as_ref().map(|own| own.not_after);
        let mut config = match own {
            Some(own) => builder.with_client_auth_cert(own.chain, own.key).map_err(refused)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Built { config, not_after })
    }
}

fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(Error::Transport(format!(
            "this machine has no trusted certificate authorities{why}; name a CA file"
        )));
    }
    Ok(roots)
}
