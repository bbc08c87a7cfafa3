//! A change of the root key.

use std::sync::Arc;

use strongroom_api::vault::v1::ExportKeyRingRequest;
use strongroom_crypto::RootKey;
use strongroom_runtime::{Shutdown, SystemClock};
use strongroom_testkit::open_ring;
use strongroom_vault::VaultConfig;
use tokio::net::TcpListener;

use super::{SECRET, create_key, rotate, with_secret};
use crate::support::{TestVault, eventually};

#[tokio::test]
async fn the_root_key_is_changed_at_a_start() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let created = admin.create(with_secret("One")).await;
        create_key(&mut admin, "gateway").await;
        rotate(&mut admin, "credential").await;
        let config = vault.config();
        let current = config.root_key_file.clone().unwrap();
        let (old, other) = (current.with_file_name("old.key"), current.with_file_name("other.key"));
        std::fs::copy(&current, &old).unwrap();
        let new = RootKey::generate();
        strongroom_testkit::write_private(&current, new.to_text().as_bytes());
        strongroom_testkit::write_private(&other, RootKey::generate().to_text().as_bytes());
        vault.kill();

        let refusal = async |config| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let serving =
                strongroom_vault::serve(config, listener, None, Arc::new(SystemClock), Shutdown::new());
            serving.await.unwrap_err().to_string()
        };
        let alone = refusal(config.clone()).await;
        assert!(alone.contains("not the one this vault was created with"), "{alone}");
        let foreign = VaultConfig { previous_root_key_files: vec![other], ..config.clone() };
        assert!(refusal(foreign).await.contains("not the one this vault was created with"));

        let both = VaultConfig { previous_root_key_files: vec![old.clone()], ..config.clone() };
        let shutdown = Shutdown::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = tokio::spawn(strongroom_vault::serve(
            both,
            listener,
            None,
            Arc::new(SystemClock),
            shutdown.clone(),
        ));
        eventually(async || (vault.database.number("SELECT count(*) FROM root_keys") == 2).then_some(()))
            .await;
        shutdown.begin();
        serving.await.unwrap().unwrap();

        let next = vault.beside().await;
        let mut admin = next.admin().await;
        let secret = eventually(async || admin.reveal(&created.id).await.ok()).await;
        assert_eq!(secret, SECRET);
        let request = ExportKeyRingRequest::default();
        let ring = admin.keys.export_key_ring(request).await.unwrap().into_inner();
        assert_eq!(ring.root_key_id, new.id().to_string());
        assert!(!ring.kids.is_empty(), "all of them open under the new root key: {ring:?}");
        drop(open_ring(&new, &ring.ring));
        assert_eq!(admin.event_names("key.root_changed").await, ["key.root_changed"]);
        let old = VaultConfig { root_key_file: Some(old), ..config };
        assert!(refusal(old).await.contains("not the one this vault was created with"));
    }
}
