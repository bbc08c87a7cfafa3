//! A backup service over real sockets, with a fake vault that records requests.

pub(crate) mod database;
pub(crate) mod pooler;
pub(crate) mod restore;
pub(crate) mod stored;
pub(crate) mod tables;
pub(crate) mod vault;

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strongroom_age::{Identity, IdentityFile, X25519Identity};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Header, Message, Trailer};
use strongroom_api::backup::v1::{ExportBackupRequest, ExportBackupResponse};
use strongroom_api::vault::v1::AuditEvent;
use strongroom_archive::{ArchiveReader, ManifestSignature};
use strongroom_backup::{Config, Error, serve};
use strongroom_crypto::{Statement, Token};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::rpc::Traced;
use strongroom_runtime::{Clock, Shutdown, SystemClock};
use strongroom_testkit::Mounted;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

pub(crate) use vault::FakeVault;

pub(crate) type Client = BackupServiceClient<AuthorizedChannel>;

/// A running service and its dependencies.
pub(crate) struct Service {
    pub(crate) vault: FakeVault,
    pub(crate) folder: TempDir,
    /// The text of the recovery key whose public half is in the configuration.
    recovery: String,
    config: Config,
    clock: Arc<dyn Clock>,
    address: String,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), Error>>,
}

impl Service {
    /// Backs up `folder/gateway.db` with `source` added to its configuration and `backup` to the service's.
    pub(crate) async fn start(folder: TempDir, vault: FakeVault, backup: &str, source: &str) -> Self {
        let recovery = X25519Identity::generate();
        let seal = format!("recovery_recipients = ['{}']", recovery.recipient());
        let service = Self::sealing(folder, vault, backup, source, &seal).await;
        Self { recovery: recovery.to_text().to_string(), ..service }
    }

    /// Like [`Self::start`], with `seal` under `[seal]`.
    pub(crate) async fn sealing(
        folder: TempDir,
        vault: FakeVault,
        backup: &str,
        source: &str,
        seal: &str,
    ) -> Self {
        let config = config(folder.path(), &vault.url, backup, source, seal);
        Self::configured(folder, vault, config, Arc::new(SystemClock)).await
    }

    async fn configured(folder: TempDir, vault: FakeVault, config: Config, clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = Shutdown::new();
        let serving = serve(config.clone(), listener, None, Arc::clone(&clock), shutdown.clone());
        let running = tokio::spawn(serving);
        Self { vault, folder, recovery: String::new(), config, clock, address, shutdown, running }
    }

    /// Stops the service, runs `meanwhile` in its folder, and starts the service again with the same database.
    pub(crate) async fn restarted(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.shutdown.begin();
        let ended = tokio::time::timeout(Duration::from_secs(30), &mut self.running).await;
        ended.expect("it stops in time").unwrap().unwrap();
        meanwhile(self.folder.path());
        let started = Self::configured(self.folder, self.vault, self.config, self.clock).await;
        Self { recovery: self.recovery, ..started }
    }

    /// The same service with another clock.
    pub(crate) async fn by_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self.restarted(|_| ()).await
    }

    /// The same service with another vault.
    pub(crate) async fn beside(mut self, vault: FakeVault) -> Self {
        self.config.backup.vault.url.clone_from(&vault.url);
        self.vault = vault;
        self.restarted(|_| ()).await
    }

    /// The private half of the recovery key.
    pub(crate) fn recovery(&self) -> X25519Identity {
        match IdentityFile::read(self.recovery.as_bytes()).unwrap() {
            IdentityFile::Plain(mut identities) => match identities.remove(0) {
                Identity::X25519(identity) => identity,
                Identity::Hybrid(_) | Identity::Passphrase(_) => panic!("no X25519 key"),
            },
            IdentityFile::Locked(_) => panic!("it is not locked"),
        }
    }

    /// The usual service: the sample database, with its logs optional.
    pub(crate) async fn usual(backup: &str) -> Self {
        let folder = database::folder().await;
        Self::start(folder, FakeVault::start().await, backup, LOGS).await
    }

    /// A client with all permissions.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&[
            "backup.export",
            "backup.export_passphrase",
            "backup.export_plain",
            "backup.export_recipients",
            "backup.verify",
            "source.list",
            "backup.create",
            "backup.get",
            "backup.list",
            "backup.delete",
            "backup.hold",
            "backup.download",
            "backup.estimate",
            "backup.scan",
        ])
    }

    /// A client with these permissions, and windows so small that the service notices at once whether it reads.
    pub(crate) fn client_with(&self, permissions: &[&str]) -> Client {
        self.client_of(&Token::generate(), permissions)
    }

    /// The same for this token.
    pub(crate) fn client_of(&self, token: &Token, permissions: &[&str]) -> Client {
        BackupServiceClient::new(self.channel(token, permissions))
    }

    /// A channel for any client, with this token.
    pub(crate) fn channel(&self, token: &Token, permissions: &[&str]) -> AuthorizedChannel {
        self.vault.admit(token, permissions);
        let channel = Endpoint::from_shared(self.address.clone())
            .unwrap()
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535)
            .connect_lazy();
        let bearer = Bearer::new(token.expose()).unwrap();
        InterceptedService::new(Traced::new(channel), bearer)
    }

    /// A client with no token but with the certificate in `files`, which also contain the service's authority.
    pub(crate) fn certified_client(&self, files: &Mounted) -> Client {
        let port = self.address.rsplit(':').next().unwrap();
        let target = Target {
            url: format!("https://localhost:{port}"),
            ca_file: Some(files.path("ca.crt")),
            cert_file: Some(files.path("tls.crt")),
            key_file: Some(files.path("tls.key")),
            ..Target::default()
        };
        BackupServiceClient::new(target.authorized(Bearer::none()).unwrap())
    }

    /// The service's own token.
    pub(crate) fn own_token(&self) -> Token {
        let text = std::fs::read_to_string(self.folder.path().join("service.token")).unwrap();
        Token::parse(&text).unwrap()
    }

    /// Waits for the event that ends an export.
    pub(crate) async fn end_event(&self) -> AuditEvent {
        self.vault.wait_for("backup.exported").await
    }

    /// Stops the service and returns its result.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.shutdown.begin();
        tokio::time::timeout(Duration::from_secs(30), self.running).await.unwrap().unwrap()
    }

    /// Returns the error of a service that must refuse to start.
    pub(crate) async fn refusal(self) -> String {
        let ended = tokio::time::timeout(Duration::from_secs(10), self.running).await;
        ended.expect("it refuses to start").unwrap().unwrap_err().to_string()
    }
}

/// The sample's optional group.
pub(crate) const LOGS: &str = "[[sources.optional]]\nname = 'logs'\ntables = ['logs']\ntime_column = 'at'";

fn config(folder: &Path, vault: &str, backup: &str, source: &str, seal: &str) -> Config {
    let token_file = folder.join("service.token");
    strongroom_testkit::write_private(&token_file, Token::generate().expose());
    let restore_url = folder.join("gateway.url");
    strongroom_testkit::write_private(
        &restore_url,
        format!("sqlite:{}", folder.join("gateway.db").display()),
    );
    let text = format!(
        "[app]\nname = 'Prompt Gate'\nurl = 'https://gateway.example.com'\n\
         [seal]\n{seal}\n[backup]\ndatabase_url = 'sqlite:{}'\ntoken_file = '{}'\nvault = {{ url = '{vault}' }}\n{backup}\n\
         [[sources]]\nname = 'gateway'\nkind = 'sqlite'\nurl = 'sqlite:{}'\n\
         restore_url_file = '{}'\n{source}\n",
        folder.join("backup.db").display(),
        token_file.display(),
        folder.join("gateway.db").display(),
        restore_url.display(),
    );
    toml::from_str(&text).unwrap()
}

/// A plain export of everything.
pub(crate) fn plain() -> ExportBackupRequest {
    ExportBackupRequest { seal: Some(Seal::Plain(true)), ..ExportBackupRequest::default() }
}

/// The content of a whole stream.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: Header,
    pub(crate) file: Vec<u8>,
    pub(crate) chunks: i64,
    pub(crate) progress: Vec<(String, i64)>,
    pub(crate) trailer: Trailer,
}

/// Reads a stream to its end and checks it against the contract.
pub(crate) async fn receive(mut stream: Streaming<ExportBackupResponse>) -> Result<Received, Status> {
    let first = stream.message().await?.expect("a header");
    let Some(Message::Header(header)) = first.message else { panic!("{first:?} is no header") };
    let (mut file, mut chunks, mut progress) = (Vec::new(), 0, Vec::new());
    while let Some(next) = stream.message().await? {
        match next.message.expect("never empty") {
            Message::Chunk(Chunk { number, offset, data }) => {
                assert_eq!((number, offset), (chunks, file.len() as i64), "chunks are contiguous");
                assert_eq!(offset % header.chunk_size, 0, "all but the last are full");
                file.extend_from_slice(&data);
                chunks += 1;
            }
            Message::Progress(now) => progress.push((now.table, now.rows)),
            Message::Trailer(trailer) => {
                assert!(stream.message().await?.is_none(), "nothing follows the trailer");
                return Ok(Received { header, file, chunks, progress, trailer });
            }
            Message::Header(_) => panic!("a second header"),
        }
    }
    panic!("the stream ended well without a trailer")
}

/// Reads until the stream fails.
pub(crate) async fn failure(stream: Streaming<ExportBackupResponse>) -> Status {
    tokio::time::timeout(Duration::from_secs(20), receive(stream)).await.expect("in time").unwrap_err()
}

/// Checks a signature like a reader of the archive.
pub(crate) fn verify_signature<R: Read + Seek>(
    public: &[u8; 32],
    archive: &ArchiveReader<R>,
    signature: &ManifestSignature,
) {
    let statement = Statement::ArchiveManifest {
        archive_id: signature.archive_id(),
        time: &signature.time_text(),
        digest: &Sha256::digest(archive.manifest_json()).into(),
    };
    strongroom_crypto::verify(public, &statement, signature.bytes()).unwrap();
}
