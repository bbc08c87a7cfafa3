//! A vault with caller keys in chosen states, and what they seal when they are asked directly.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_api::vault::v1::{AuditEvent, IssueTokenRequest, ListAuditEventsRequest};
use strongroom_crypto::{KeyRing, KeyVersion, Place, Purpose, RootKey, State, WrappedVersion};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::{Shutdown, SystemClock};
use strongroom_testkit::TestDb;
use strongroom_vault::VaultConfig;
use tokio::net::TcpListener;

/// The caller keys and their versions.
const KEYS: [(&str, State); 6] = [
    ("gateway", State::DecryptOnly),
    ("gateway", State::Disabled),
    ("gateway", State::Scheduled),
    ("gateway", State::Destroyed),
    ("gateway", State::Primary),
    ("billing", State::Primary),
];

pub(crate) struct Fixture {
    pub(crate) database: TestDb,
    pub(crate) versions: Vec<WrappedVersion>,
    root: RootKey,
    url: String,
    admin_token: String,
    shutdown: Shutdown,
    _folder: tempfile::TempDir,
}

pub(crate) struct Clients {
    pub(crate) crypto: CryptoServiceClient<AuthorizedChannel>,
    pub(crate) credentials: CredentialServiceClient<AuthorizedChannel>,
    pub(crate) tokens: TokenServiceClient<AuthorizedChannel>,
    pub(crate) audit: AuditServiceClient<AuthorizedChannel>,
}

impl Fixture {
    pub(crate) async fn each() -> Vec<Self> {
        let mut fixtures = Vec::new();
        for database in TestDb::each() {
            fixtures.push(Self::on(database).await);
        }
        fixtures
    }

    pub(crate) async fn sqlite() -> Self {
        Self::on(TestDb::sqlite()).await
    }

    /// The first start makes the ring; its keys are added beside it and found by the second start.
    async fn on(database: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = RootKey::generate();
        strongroom_testkit::write_private(folder.path().join("root.key"), root.to_text().as_bytes());
        let config = VaultConfig {
            database_url: database.url_text().to_owned(),
            root_key_file: Some(folder.path().join("root.key")),
            admin_token_file: Some(folder.path().join("admin.token")),
            ..VaultConfig::default()
        };
        let (url, first) = start(config.clone()).await;
        let admin_token = wait_for(&folder.path().join("admin.token")).await;
        // The token is written before the vault is through with its first start.
        clients(&url, &admin_token).events().await;
        let versions = versions(&root);
        database.run(&versions.iter().map(insert).collect::<String>());
        first.begin();
        let (url, shutdown) = start(config).await;
        Self { database, versions, root, url, admin_token, shutdown, _folder: folder }
    }

    pub(crate) fn admin(&self) -> Clients {
        clients(&self.url, &self.admin_token)
    }

    pub(crate) async fn with_role(&self, role: &str) -> Clients {
        let request = IssueTokenRequest { name: role.into(), role: role.into(), ..Default::default() };
        let issued = self.admin().tokens.issue_token(request).await.unwrap().into_inner();
        clients(&self.url, &issued.secret)
    }

    /// What the version sealed while it was the primary one.
    pub(crate) fn seal(&self, state: State, aad: &[u8], plaintext: &[u8]) -> String {
        let version = self.versions.iter().find(|version| version.state == state).unwrap();
        let then = WrappedVersion { state: State::Primary, ..version.clone() };
        let ring = KeyRing::open(&[&self.root], &[then]).unwrap();
        let row = hex::encode(aad);
        let place = Place { purpose: Purpose::Caller, table: "caller", column: &version.key_id, row: &row };
        ring.seal(&version.key_id, &place, plaintext).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Clients {
    /// Events of the crypto API, oldest first.
    pub(crate) async fn events(&mut self) -> Vec<AuditEvent> {
        let request = ListAuditEventsRequest { event: "crypto.*".into(), ..Default::default() };
        let mut events = self.audit.list_audit_events(request).await.unwrap().into_inner().events;
        events.reverse();
        events
    }
}

fn clients(url: &str, token: &str) -> Clients {
    let channel = Target { url: url.to_owned(), ..Target::default() }.channel().unwrap();
    let bearer = Bearer::new(token).unwrap();
    Clients {
        crypto: CryptoServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        credentials: CredentialServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        tokens: TokenServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        audit: AuditServiceClient::with_interceptor(channel, bearer),
    }
}

async fn start(config: VaultConfig) -> (String, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = Shutdown::new();
    let serving = strongroom_vault::serve(config, listener, Arc::new(SystemClock), shutdown.clone());
    tokio::spawn(async move { serving.await.unwrap() });
    (url, shutdown)
}

async fn wait_for(file: &std::path::Path) -> String {
    for _ in 0..400 {
        match std::fs::read_to_string(file) {
            Ok(token) if token.ends_with('\n') => return token,
            _ => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    panic!("the vault wrote no admin token");
}

fn versions(root: &RootKey) -> Vec<WrappedVersion> {
    let numbered = KEYS.iter().zip(1..);
    let version = |((key_id, state), number): (&(&str, State), u32)| WrappedVersion {
        state: *state,
        ..KeyVersion::create(root, key_id, Purpose::Caller, number)
    };
    numbered.map(version).collect()
}

fn insert(version: &WrappedVersion) -> String {
    let WrappedVersion { key_id, purpose, kid, number, state, root_key_id, wrapped } = version;
    format!(
        "INSERT INTO keys (id, purpose, create_time) VALUES ('{key_id}', '{purpose}', 1) ON CONFLICT (id) DO NOTHING;
         INSERT INTO key_versions (kid, key_id, number, state, root_key_id, wrapped, create_time)
         VALUES ('{kid}', '{key_id}', {number}, '{state}', '{root_key_id}', '{wrapped}', 1);"
    )
}
