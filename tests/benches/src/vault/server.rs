//! A vault for measurements: one caller key, one credential, one sealed value.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::{
    CreateKeyRequest, EncryptRequest, ExportKeyRingRequest, ListKeyVersionsRequest,
};
use strongroom_crypto::{KeyRing, RootKey};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::rpc::Traced;
use strongroom_runtime::{Shutdown, SystemClock};
use strongroom_testkit::requests::{CredentialBuilder as _, credential};
use strongroom_testkit::{TestDb, open_ring};
use strongroom_vault::VaultConfig;
use tokio::net::TcpListener;

/// Name of the caller key.
pub(super) const KEY: &str = "bench";
/// The additional data of its values.
pub(super) const AAD: &[u8] = b"mcp_servers/bearer/0190c5a2-7b1d-7000-8000-000000000000";
/// A typical length of a secret.
pub(super) const VALUE: [u8; 64] = [7; 64];

pub(super) struct BenchVault {
    pub(super) name: &'static str,
    pub(super) database: TestDb,
    pub(super) credential_id: String,
    pub(super) ciphertext: String,
    root: RootKey,
    url: String,
    token: String,
    shutdown: Shutdown,
    _folder: tempfile::TempDir,
}

impl BenchVault {
    pub(super) async fn on(name: &'static str, database: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = RootKey::generate();
        strongroom_testkit::write_private(folder.path().join("root.key"), root.to_text().as_bytes());
        let config = VaultConfig {
            database_url: database.url_text().to_owned(),
            root_key_file: Some(folder.path().join("root.key")),
            admin_token_file: Some(folder.path().join("admin.token")),
            ..VaultConfig::default()
        };
        let (url, shutdown) = start(config).await;
        let token = wait_for(&folder.path().join("admin.token")).await;
        let (credential_id, ciphertext) = (String::new(), String::new());
        let mut vault =
            Self { name, database, credential_id, ciphertext, root, url, token, shutdown, _folder: folder };
        vault.create_key().await;
        vault.credential_id = vault.create_credential().await;
        vault.ciphertext = vault.encrypt().await;
        vault
    }

    /// A separate connection.
    pub(super) fn channel(&self) -> AuthorizedChannel {
        let channel = Target { url: self.url.clone(), ..Target::default() }.channel().unwrap();
        AuthorizedChannel::new(Traced::new(channel), Bearer::new(&self.token).unwrap())
    }

    /// The vault's own key ring, for sealing many rows as the vault does.
    pub(super) async fn ring(&self) -> KeyRing {
        let mut client = KeyServiceClient::new(self.channel());
        let versions =
            client.list_key_versions(ListKeyVersionsRequest {}).await.unwrap().into_inner().versions;
        let kids = versions.into_iter().map(|version| version.kid).collect();
        let exported = client.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap().into_inner();
        open_ring(&self.root, &exported.ring)
    }

    async fn create_key(&self) {
        let request = CreateKeyRequest { key_id: KEY.into() };
        KeyServiceClient::new(self.channel()).create_key(request).await.unwrap();
    }

    async fn create_credential(&self) -> String {
        let request = credential("One").secret(VALUE);
        let mut client = CredentialServiceClient::new(self.channel());
        client.create_credential(request).await.unwrap().into_inner().credential.unwrap().id
    }

    async fn encrypt(&self) -> String {
        CryptoServiceClient::new(self.channel())
            .encrypt(encrypt_request())
            .await
            .unwrap()
            .into_inner()
            .ciphertext
    }
}

impl Drop for BenchVault {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

pub(super) fn encrypt_request() -> EncryptRequest {
    EncryptRequest { key_id: KEY.into(), plaintext: VALUE.to_vec().into(), aad: AAD.into() }
}

async fn start(config: VaultConfig) -> (String, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = Shutdown::new();
    let serving = strongroom_vault::serve(config, listener, None, Arc::new(SystemClock), shutdown.clone());
    tokio::spawn(async move { serving.await.unwrap() });
    (url, shutdown)
}

async fn wait_for(file: &Path) -> String {
    loop {
        match std::fs::read_to_string(file) {
            Ok(token) if token.ends_with('\n') => return token,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
