//! The application: a table of sealed values, and a writer that constantly changes other columns of its rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use e2e::Operator;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{BatchEncryptRequest, EncryptRequest};
use strongroom_runtime::client::{Bearer, Target};
use strongroom_testkit::TestDb;

/// Name of the caller key.
pub(super) const KEY: &str = "gateway";
/// A typical length of a secret.
const VALUE: [u8; 64] = [7; 64];
/// Values per call and per statement.
const TOGETHER: u32 = 1000;

pub(super) struct Application {
    database: Arc<TestDb>,
    values: u32,
}

pub(super) fn create_table(database: &TestDb) {
    if database.file().is_some() {
        database.run("PRAGMA journal_mode = WAL");
    }
    database.run("CREATE TABLE servers (id BIGINT PRIMARY KEY, name TEXT, bearer TEXT)");
}

impl Application {
    /// Seals this many values with the vault.
    pub(super) async fn fill(database: TestDb, operator: &Operator, values: u32) -> Self {
        let target = Target { url: operator.vault_url.clone(), ..Target::default() };
        let channel = target.authorized(Bearer::new(&operator.token).unwrap()).unwrap();
        let mut client = CryptoServiceClient::new(channel);
        for first in (0..values).step_by(TOGETHER as usize) {
            let ids = first..values.min(first + TOGETHER);
            let items = ids.clone().map(|id| EncryptRequest {
                key_id: KEY.into(),
                plaintext: VALUE.to_vec().into(),
                aad: format!("servers/bearer/{id}").into_bytes().into(),
            });
            let request = BatchEncryptRequest { items: items.collect() };
            let sealed = client.batch_encrypt(request).await.unwrap().into_inner().results;
            let rows = ids.zip(sealed).map(|(id, sealed)| format!("({id}, 'n', '{}')", sealed.ciphertext));
            database.run(&format!("INSERT INTO servers VALUES {}", rows.collect::<Vec<_>>().join(",")));
        }
        if database.file().is_none() {
            database.run("VACUUM (ANALYZE) servers");
        }
        Self { database: Arc::new(database), values }
    }

    /// Writes one row after another until it is stopped.
    pub(super) fn begin_to_write(&self) -> Writer {
        let (database, values, stop) =
            (Arc::clone(&self.database), self.values, Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let running = std::thread::spawn(move || {
            let (mut longest, mut id) = (Duration::ZERO, 0);
            while !stopped.load(Ordering::Relaxed) {
                id = (id + 7919) % values;
                let began = Instant::now();
                database.run(&format!("UPDATE servers SET name = 'm' WHERE id = {id}"));
                longest = longest.max(began.elapsed());
            }
            longest
        });
        Writer { stop, running }
    }
}

/// A running writer.
pub(super) struct Writer {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Duration>,
}

impl Writer {
    /// Stops the writer and returns its longest write, including the time to connect.
    pub(super) fn end(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.running.join().unwrap()
    }
}
