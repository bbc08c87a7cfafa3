//! A server whose certificates a test can change, and its clients.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::source::v1::DescribeSourceRequest;
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::process::install_tls_provider;
use strongroom_runtime::server::{ClientCerts, Limits, TlsConfig};
use strongroom_runtime::tls::State;
use strongroom_testkit::{Authority, Mounted};
use tonic::Status;

use crate::server::{Server, limits};

pub(crate) type Client = SourceServiceClient<AuthorizedChannel>;

/// A server that checks its files frequently.
pub(crate) struct Certified {
    pub(crate) server: Server,
    /// `tls.crt` and `tls.key`, and in `ca.crt` the clients' authorities.
    pub(crate) own: Mounted,
    /// The authority of its certificate.
    pub(crate) authority: Authority,
    folder: tempfile::TempDir,
}

/// A client's files: `tls.crt` and `tls.key`, and in `ca.crt` the server's authorities.
pub(crate) struct ClientFiles {
    pub(crate) files: Mounted,
    url: String,
}

impl Certified {
    /// By `certs`, clients must or can have a certificate of `clients`.
    pub(crate) async fn start(clients: &Authority, certs: ClientCerts, limits: Limits) -> Self {
        let reload = Duration::from_millis(50);
        Self::with(Some((clients, certs)), limits, reload).await
    }

    pub(crate) async fn with(
        clients: Option<(&Authority, ClientCerts)>,
        limits: Limits,
        reload: Duration,
    ) -> Self {
        install_tls_provider();
        let folder = tempfile::tempdir().unwrap();
        let own = Mounted::create(folder.path().join("server"));
        let authority = Authority::new("of the server");
        own.put_certificate(&authority.issue(&["localhost"]));
        let mut config = TlsConfig { reload, ..TlsConfig::new(own.path("tls.crt"), own.path("tls.key")) };
        if let Some((clients, certs)) = clients {
            own.put_authorities(&[clients]);
            config.client_ca_file = Some(own.path("ca.crt"));
            config.client_certs = Some(certs);
        }
        let server = Server::start_with(limits, Some(config)).await;
        Self { server, own, authority, folder }
    }

    /// The files of a client that trusts the server, with a certificate of `authority` if it has `names`.
    pub(crate) fn files(&self, authority: &Authority, names: &[&str]) -> ClientFiles {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let files = Mounted::create(folder);
        files.put_authorities(&[&self.authority]);
        if !names.is_empty() {
            files.put_certificate(&authority.issue(names));
        }
        ClientFiles { files, url: format!("https://localhost:{}", self.server.address.port()) }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.server.tls.as_ref().unwrap().state()
    }

    /// Waits until the server has reloaded its files `reloads` times.
    pub(crate) async fn reloaded(&self, reloads: u64) {
        let state = self.state();
        eventually(|| state.reloads() >= reloads).await;
        assert_eq!((state.reloads(), state.last_error()), (reloads, None));
    }
}

impl ClientFiles {
    /// A client with its own connection; without a token if `token` is empty.
    pub(crate) fn client(&self, token: &str) -> Client {
        let has_certificate = self.files.path("tls.crt").exists();
        let target = Target {
            url: self.url.clone(),
            ca_file: Some(self.files.path("ca.crt")),
            cert_file: has_certificate.then(|| self.files.path("tls.crt")),
            key_file: has_certificate.then(|| self.files.path("tls.key")),
            ..Target::default()
        };
        let bearer = if token.is_empty() { Bearer::none() } else { Bearer::new(token).unwrap() };
        SourceServiceClient::new(target.authorized(bearer).unwrap())
    }

    /// The caller's identity as the server sees it.
    pub(crate) async fn call(&self, token: &str) -> Result<String, Status> {
        call(&mut self.client(token)).await
    }
}

/// The client's identity as the server sees it.
pub(crate) async fn call(client: &mut Client) -> Result<String, Status> {
    let call = client.describe_source(DescribeSourceRequest {});
    let answer = tokio::time::timeout(Duration::from_secs(10), call).await.expect("nobody is served")?;
    Ok(answer.into_inner().tables.remove(0).group)
}

/// Enough places for tests under load.
pub(crate) fn roomy() -> Limits {
    Limits {
        connections: 100,
        greeting: Duration::from_secs(10),
        first_call: Duration::from_secs(60),
        ..limits()
    }
}

/// A status with all its causes.
pub(crate) fn chain(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Waits until `come` returns true.
pub(crate) async fn eventually(mut come: impl FnMut() -> bool) {
    let waiting = async {
        while !come() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it does not come");
}
