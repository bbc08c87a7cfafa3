//! A vault for one test, serving on a free port until it is dropped.

mod clients;
mod people;
mod refusals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_crypto::RootKey;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::{Clock, Shutdown, SystemClock};
use strongroom_testkit::{ManualClock, Mounted, TestDb, requests, write_private};
use strongroom_vault::VaultConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

pub(crate) use clients::Clients;
pub(crate) use people::{enrol, enrolled, renew};
pub(crate) use refusals::{assert_field, assert_refused, metadata_of};

/// A running vault.
pub(crate) struct TestVault {
    address: std::net::SocketAddr,
    folder: Arc<tempfile::TempDir>,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
    /// Stands still until a test moves it; only vaults from [`TestVault::each_standing`] use it.
    pub(crate) clock: ManualClock,
    /// Its database, for changes that only an intruder would make.
    pub(crate) database: Arc<TestDb>,
}

impl TestVault {
    pub(crate) async fn sqlite() -> Self {
        Self::on(TestDb::sqlite()).await
    }

    pub(crate) async fn each() -> Vec<Self> {
        let mut vaults = Vec::new();
        for database in TestDb::each() {
            vaults.push(Self::on(database).await);
        }
        vaults
    }

    /// Vaults with a clock that stands still until the test moves it.
    pub(crate) async fn each_standing() -> Vec<Self> {
        let mut vaults = Vec::new();
        for database in TestDb::each() {
            let clock = ManualClock::default();
            let mut vault = Self::with_clock(database, Arc::new(clock.clone())).await;
            vault.clock = clock;
            vaults.push(vault);
        }
        vaults
    }

    /// One vault on SQLite with such a clock.
    pub(crate) async fn standing() -> Self {
        Self::of_root(TestDb::sqlite(), &RootKey::generate()).await
    }

    /// Two vaults with the same root key and separate databases, on each engine, with clocks as in
    /// [`Self::each_standing`].
    pub(crate) async fn pairs() -> Vec<(Self, Self)> {
        let mut pairs = Vec::new();
        for (one, other) in TestDb::each().into_iter().zip(TestDb::each()) {
            let root = RootKey::generate();
            pairs.push((Self::of_root(one, &root).await, Self::of_root(other, &root).await));
        }
        pairs
    }

    /// A vault with this root key and `previous` ones, on a new database of the same engine as this one's.
    pub(crate) async fn new_like(&self, root: &RootKey, previous: &[&RootKey]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_private(root_key_file(&folder), root.to_text().as_bytes());
        let is_file = self.database.file().is_some();
        let database = if is_file { TestDb::sqlite() } else { TestDb::postgres().unwrap() };
        let mut config = config(&folder, &database);
        for (at, previous) in previous.iter().enumerate() {
            let file = folder.path().join(format!("previous-{at}.key"));
            write_private(&file, previous.to_text().as_bytes());
            config.previous_root_key_files.push(file);
        }
        Self::start_as(config, Arc::new(folder), Arc::new(database), Arc::new(SystemClock)).await
    }

    async fn of_root(database: TestDb, root: &RootKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_private(root_key_file(&folder), root.to_text().as_bytes());
        let clock = ManualClock::default();
        let mut vault = Self::start(Arc::new(folder), Arc::new(database), Arc::new(clock.clone())).await;
        vault.clock = clock;
        vault
    }

    async fn on(database: TestDb) -> Self {
        Self::with_clock(database, Arc::new(SystemClock)).await
    }

    pub(crate) async fn with_clock(database: TestDb, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_private(root_key_file(&folder), RootKey::generate().to_text().as_bytes());
        Self::start(Arc::new(folder), Arc::new(database), clock).await
    }

    /// Another process of the same vault.
    pub(crate) async fn beside(&self) -> Self {
        Self::start(Arc::clone(&self.folder), Arc::clone(&self.database), Arc::new(SystemClock)).await
    }

    /// A vault with certificates, and with the other settings that `configure` changes.
    pub(crate) async fn encrypted(
        database: TestDb,
        configure: impl FnOnce(VaultConfig) -> VaultConfig,
    ) -> Self {
        strongroom_runtime::process::install_tls_provider();
        let folder = tempfile::tempdir().unwrap();
        write_private(root_key_file(&folder), RootKey::generate().to_text().as_bytes());
        let config = configure(config(&folder, &database));
        Self::start_as(config, Arc::new(folder), Arc::new(database), Arc::new(SystemClock)).await
    }

    async fn start(folder: Arc<tempfile::TempDir>, database: Arc<TestDb>, clock: Arc<dyn Clock>) -> Self {
        let config = config(&folder, &database);
        Self::start_as(config, folder, database, clock).await
    }

    async fn start_as(
        config: VaultConfig,
        folder: Arc<tempfile::TempDir>,
        database: Arc<TestDb>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let serving = strongroom_vault::serve(config, listener, None, clock, shutdown.clone());
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, folder, shutdown, serving, clock: ManualClock::default(), database }
    }

    /// The same vault after an orderly stop.
    pub(crate) async fn restarted(self) -> Self {
        self.shutdown.begin();
        self.beside().await
    }

    /// Stops it between two of its steps, without a shutdown.
    pub(crate) fn kill(&self) {
        self.serving.abort();
    }

    pub(crate) fn config(&self) -> VaultConfig {
        config(&self.folder, &self.database)
    }

    pub(crate) fn root_key(&self) -> RootKey {
        RootKey::parse(&std::fs::read_to_string(root_key_file(&self.folder)).unwrap()).unwrap()
    }

    /// Runs SQL without going through the vault.
    pub(crate) fn run(&self, sql: &str) {
        self.database.run(sql);
    }

    /// The number that `sql` selects.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.database.number(sql)
    }

    fn target(&self) -> Target {
        Target { url: format!("http://{}", self.address), ..Target::default() }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.target().channel().unwrap()
    }

    pub(crate) fn authorized(&self, token: &str) -> AuthorizedChannel {
        self.target().authorized(Bearer::new(token).unwrap()).unwrap()
    }

    pub(crate) fn clients(&self, token: &str) -> Clients {
        Clients::new(&self.authorized(token))
    }

    /// Clients with the certificate and the authorities in `files`, but without a token.
    pub(crate) fn certified_clients(&self, files: &Mounted) -> Clients {
        let target = Target {
            url: format!("https://localhost:{}", self.address.port()),
            ca_file: Some(files.path("ca.crt")),
            cert_file: Some(files.path("tls.crt")),
            key_file: Some(files.path("tls.key")),
            ..Target::default()
        };
        Clients::new(&target.authorized(Bearer::none()).unwrap())
    }

    /// Clients with the first admin token.
    pub(crate) async fn admin(&self) -> Clients {
        self.clients(&self.admin_token().await)
    }

    /// Clients with a new token.
    pub(crate) async fn with_role(&self, role: &str) -> Clients {
        let issued = self.admin().await.issue(requests::token(role)).await.unwrap();
        self.clients(&issued.secret)
    }

    /// The first admin token, once the vault has written it.
    pub(crate) async fn admin_token(&self) -> String {
        let file = admin_token_file(&self.folder);
        for _ in 0..1200 {
            if let Ok(token) = std::fs::read_to_string(&file)
                && token.ends_with('\n')
            {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the vault wrote no admin token");
    }
}

impl Drop for TestVault {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

fn admin_token_file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("admin.token")
}

fn root_key_file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("root.key")
}

fn config(folder: &tempfile::TempDir, database: &TestDb) -> VaultConfig {
    VaultConfig {
        database_url: database.url_text().to_owned(),
        root_key_file: Some(root_key_file(folder)),
        admin_token_file: Some(admin_token_file(folder)),
        ..VaultConfig::default()
    }
}

/// Waits until `look` returns something that is only a matter of time. Tests do not depend on how long it takes: the
/// limit only ends a test that hangs.
pub(crate) async fn eventually<T>(look: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(60), look).await
}

/// Waits until `look` returns something, for at most the time that the vault promises.
pub(crate) async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
