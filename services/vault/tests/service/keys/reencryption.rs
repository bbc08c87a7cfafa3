//! Re-encryption to its end, including after a kill.

use std::time::Instant;

use strongroom_api::vault::v1::{ExportKeyRingRequest, GetKeyCensusRequest, ReencryptRequest};
use strongroom_crypto::{Cell, Purpose};
use strongroom_testkit::{Planted, open_ring};

use super::{census, reencrypt, rotate, versions};
use crate::support::{Clients, TestVault, eventually};

/// Inserts `count` credentials directly into the database; returns their ids.
pub(super) async fn fill(admin: &mut Clients, vault: &TestVault, count: usize) -> Vec<String> {
    let kids = versions(admin, "credential").await.into_iter().map(|version| version.kid).collect();
    let exported = admin.keys.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap().into_inner();
    let ring = open_ring(&vault.root_key(), &exported.ring);
    let mut ids = Vec::with_capacity(count);
    for first in (0..count).step_by(5000) {
        let mut sql = String::from(Planted::INSERT);
        for number in first..(first + 5000).min(count) {
            let id = format!("{number:08}-0000-7000-8000-000000000000");
            let cell =
                Cell { purpose: Purpose::Credential, table: "credentials", column: "secret", row: &id };
            let secret = ring.seal("credential", &cell, format!("secret-{number}-0").as_bytes()).unwrap();
            let comma = if number == first { "" } else { "," };
            let name = format!("C {number}");
            let row =
                Planted { id: &id, name: &name, provider: "openai", secret: &secret, preview: "", time: 1 };
            sql.push_str(comma);
            sql.push_str(&row.values(&ring, &vault.database));
            ids.push(id);
        }
        vault.database.run(&sql);
    }
    ids
}

pub(super) fn number_of_rows() -> usize {
    if std::env::var_os("STRONGROOM_LONG").is_some_and(|long| long == "1") { 100_000 } else { 5_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn re_encryption_without_load() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = fill(&mut admin, &vault, number_of_rows()).await;
        rotate(&mut admin, "credential").await;
        let began = Instant::now();
        let done = reencrypt(&mut admin, 0).await;
        #[expect(clippy::print_stderr, reason = "the figure is what a long run is for")]
        {
            eprintln!("{} rows in {:?} alone", done.rows_done, began.elapsed());
        }
        assert_eq!((done.rows_done, done.rows_left), (i64::try_from(ids.len()).unwrap(), 0));
        for number in [0, ids.len() / 2, ids.len() - 1] {
            let secret = admin.reveal(&ids[number]).await.unwrap();
            assert_eq!(secret, format!("secret-{number}-0"));
        }
        let again = reencrypt(&mut admin, 0).await;
        assert_eq!((again.rows_done, again.rows_left), (0, 0));
        let expected =
            ["key.reencrypt_started", "key.reencrypted", "key.reencrypt_started", "key.reencrypted"];
        assert_eq!(admin.event_names("key.reencrypt*").await, expected);
    }
}

#[tokio::test]
async fn a_killed_re_encryption_is_resumed() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = fill(&mut admin, &vault, 400).await;
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        rotate(&mut admin, "credential").await;
        let request = ReencryptRequest { rows_per_second: 100 };
        let mut stream = admin.keys.reencrypt(request).await.unwrap().into_inner();
        while stream.message().await.unwrap().unwrap().rows_done == 0 {}
        vault.kill();

        let next = vault.beside().await;
        let mut admin = next.admin().await;
        let left = eventually(async || {
            let census = admin.keys.get_key_census(GetKeyCensusRequest::default()).await.ok()?.into_inner();
            census.counts.into_iter().find(|count| count.kid == old).map(|count| count.values)
        })
        .await;
        assert!(left > 0 && left < 400, "{left} of 400");
        // Without a request: the process knows the run, its lease expires, and it is taken over.
        eventually(async || (!census(&mut admin, "credential").await.contains_key(&old)).then_some(())).await;
        for (number, id) in ids.iter().enumerate().step_by(37) {
            assert_eq!(admin.reveal(id).await.unwrap(), format!("secret-{number}-0"));
        }
        eventually(async || {
            let names = admin.event_names("key.reencrypt*").await;
            (names == ["key.reencrypt_started", "key.reencrypted"]).then_some(())
        })
        .await;
    }
}
