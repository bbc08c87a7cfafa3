//! Rotation and re-encryption during reads and writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom_api::vault::v1::{Credential, GetCredentialRequest, UpdateCredentialRequest};
use strongroom_runtime::status::reason_of;
use tokio::task::JoinSet;

use super::reencryption::{fill, number_of_rows};
use super::{admin_token, census, disable, reencrypt, rotate, versions, with_secret};
use crate::support::{Clients, TestVault, eventually, metadata_of};

/// Eight readers and a writer, until they are stopped.
struct Load {
    ids: Arc<Vec<String>>,
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    /// Each task returns its number of writes.
    tasks: JoinSet<usize>,
}

impl Load {
    fn start(vault: &TestVault, token: &str, ids: &Arc<Vec<String>>) -> Self {
        let ids = Arc::clone(ids);
        let mut load = Self { ids, stop: Arc::default(), reads: Arc::default(), tasks: JoinSet::new() };
        for reader in 0..8 {
            load.read(vault.clients(token), reader * 7919);
        }
        load.write(vault.clients(token));
        load
    }

    fn read(&mut self, mut clients: Clients, seed: usize) {
        let (ids, stop, reads) = (Arc::clone(&self.ids), Arc::clone(&self.stop), Arc::clone(&self.reads));
        self.tasks.spawn(async move {
            let mut at = seed;
            while !stop.load(Ordering::Relaxed) {
                at = (at * 1_103_515_245 + 12_345) % (1 << 31);
                let number = at % ids.len();
                let secret = clients.reveal(&ids[number]).await.unwrap();
                assert!(secret.starts_with(&format!("secret-{number}-")));
                reads.fetch_add(1, Ordering::Relaxed);
            }
            0
        });
    }

    fn write(&mut self, mut clients: Clients) {
        let (ids, stop) = (Arc::clone(&self.ids), Arc::clone(&self.stop));
        self.tasks.spawn(async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let id = ids[written % ids.len()].clone();
                let credential =
                    Credential { id, display_name: format!("Renamed {written}"), ..Default::default() };
                let update = UpdateCredentialRequest { credential: Some(credential), update_mask: None };
                clients.credentials.update_credential(update).await.unwrap();
                clients.create(with_secret(&format!("New {written}"))).await;
                written += 1;
            }
            written
        });
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Stops all tasks and returns the number of writes.
    async fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        while let Some(joined) = self.tasks.join_next().await {
            written += joined.unwrap();
        }
        written
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_read_and_loses_no_write() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = Arc::new(fill(&mut admin, &vault, number_of_rows()).await);
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        let token = admin_token(&mut admin, "load").await;
        let load = Load::start(&vault, &token, &ids);
        eventually(async || (load.reads() > 50).then_some(())).await;

        let new = rotate(&mut admin, "credential").await;
        let refused = disable(&mut admin, &old).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        let rows: usize = metadata_of(&refused)["rows"].parse().unwrap();
        assert!(rows >= ids.len(), "{rows}");
        let began = Instant::now();
        let done = reencrypt(&mut admin, 0).await;
        let took = began.elapsed();
        assert_eq!(done.rows_left, 0);
        assert!(done.rows_done >= i64::try_from(ids.len()).unwrap());
        let census = census(&mut admin, "credential").await;
        assert!(!census.contains_key(&old) && census.contains_key(&new), "{census:?}");
        assert_eq!(disable(&mut admin, &old).await.unwrap(), "disabled");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let reads = load.reads();
        let written = load.stop().await;
        #[expect(clippy::print_stderr, reason = "the figure is what a long run is for")]
        {
            eprintln!("{} rows in {took:?} beside {reads} reads, {written} writes", done.rows_done);
        }

        let number = (written - 1) % ids.len();
        let get = GetCredentialRequest { id: ids[number].clone() };
        let renamed = admin.credentials.get_credential(get).await.unwrap().into_inner().credential.unwrap();
        assert_eq!(renamed.display_name, format!("Renamed {}", written - 1));
        let renames = written.div_ceil(ids.len());
        assert_eq!(
            renamed.etag,
            format!("\"{}\"", renames + 1),
            "re-encryption is no change of a credential"
        );
        let secret = admin.reveal(&ids[number]).await.unwrap();
        assert_eq!(secret, format!("secret-{number}-0"));
    }
}
