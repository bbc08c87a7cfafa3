//! `ReencryptStore`.

use super::{credential, event, events, stores};
use crate::store::columns::SEALED;
use crate::store::{CredentialRow, JobState, Lease, ReencryptJobRow, Resealed, Store};

const OLD: &str = "aaaaaaaaaaaaaaaa";
const NEW: &str = "bbbbbbbbbbbbbbbb";

fn job(id: &str) -> ReencryptJobRow {
    ReencryptJobRow {
        id: id.into(),
        state: JobState::Running,
        rows_per_second: 0,
        rows_done: 0,
        rows_left: 3,
        start_time: 1,
        end_time: None,
        lease_owner: String::new(),
        lease_until: 0,
    }
}

fn lease(owner: &str, until: i64) -> Lease {
    Lease { job_id: "j1".into(), owner: owner.into(), until }
}

async fn fill(store: &dyn Store) {
    for number in 1..=3 {
        let row = CredentialRow { secret: format!("srv1.{OLD}.{number}"), ..credential(number, "openai") };
        store.create_credential(&row, &Default::default(), &event("credential.created")).await.unwrap();
    }
}

fn resealed(number: u32, old: &str) -> Resealed {
    Resealed { id: format!("id-{number:04}"), old: old.into(), new: format!("srv1.{NEW}.{number}") }
}

#[tokio::test]
async fn one_run_at_a_time_by_one_process_at_a_time() {
    for (_database, store) in stores().await {
        let started = event("key.reencrypt_started");
        assert_eq!(store.running_reencrypt().await.unwrap(), None);
        assert_eq!(store.start_reencrypt(&job("j1"), &started).await.unwrap().id, "j1");
        assert_eq!(store.start_reencrypt(&job("j2"), &started).await.unwrap().id, "j1", "joined");
        assert!(store.lease_reencrypt(&lease("one", 100), 7, 50).await.unwrap());
        assert!(!store.lease_reencrypt(&lease("two", 200), 7, 99).await.unwrap());
        assert!(store.lease_reencrypt(&lease("one", 150), 7, 99).await.unwrap(), "renewed");
        assert!(store.lease_reencrypt(&lease("two", 300), 7, 150).await.unwrap(), "taken over");
        let lost = store.write_resealed(&lease("one", 900), &SEALED[0], &[]).await.unwrap();
        assert_eq!(lost, None);
        assert!(!store.finish_reencrypt(&lease("one", 900), 0, 9, &started).await.unwrap());
        store.release_reencrypt("j1", "one").await.unwrap();
        assert_eq!(store.running_reencrypt().await.unwrap().unwrap().lease_until, 300, "not its lease");
        store.release_reencrypt("j1", "two").await.unwrap();
        assert!(store.lease_reencrypt(&lease("one", 400), 7, 160).await.unwrap());
        assert!(store.finish_reencrypt(&lease("one", 400), 2, 9, &event("key.reencrypted")).await.unwrap());
        assert_eq!(store.running_reencrypt().await.unwrap(), None);
        let done = store.reencrypt_job("j1").await.unwrap().unwrap();
        assert_eq!((done.state, done.rows_left, done.end_time), (JobState::Done, 2, Some(9)));
        assert_eq!(store.start_reencrypt(&job("j2"), &started).await.unwrap().id, "j2");
        let expected = ["key.reencrypt_started", "key.reencrypted", "key.reencrypt_started"];
        assert_eq!(events(store.as_ref()).await, expected);
    }
}

#[tokio::test]
async fn values_are_walked_by_id() {
    for (_database, store) in stores().await {
        fill(store.as_ref()).await;
        let column = &SEALED[0];
        let ids = async |kid, after, limit| {
            let rows = store.sealed_by_others(column, kid, after, limit).await.unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(NEW, "", 2).await, ["id-0001", "id-0002"]);
        assert_eq!(ids(NEW, "id-0002", 2).await, ["id-0003"]);
        assert!(ids(OLD, "", 2).await.is_empty());
        assert_eq!(store.count_sealed_by_others(column, NEW).await.unwrap(), 3);
        assert_eq!(store.count_sealed_by_others(column, OLD).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn only_what_is_still_the_same_is_replaced() {
    for (_database, store) in stores().await {
        fill(store.as_ref()).await;
        let column = &SEALED[0];
        store.start_reencrypt(&job("j1"), &event("key.reencrypt_started")).await.unwrap();
        store.lease_reencrypt(&lease("one", 100), 3, 50).await.unwrap();
        let rows = [
            resealed(1, "srv1.aaaaaaaaaaaaaaaa.1"),
            resealed(2, "what it was before a live write"),
            resealed(9, "srv1.aaaaaaaaaaaaaaaa.9"),
        ];
        assert_eq!(store.write_resealed(&lease("one", 200), column, &rows).await.unwrap(), Some(1));
        let rows: Vec<_> = store
            .credentials(&Default::default(), "", 10)
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.row)
            .collect();
        assert_eq!(rows[0].secret, format!("srv1.{NEW}.1"));
        assert_eq!(rows[1].secret, format!("srv1.{OLD}.2"));
        assert!(
            rows.iter().all(|row| row.revision == 1 && row.update_time == 1),
            "no change of a credential"
        );
        let job = store.reencrypt_job("j1").await.unwrap().unwrap();
        assert_eq!((job.rows_done, job.rows_left, job.lease_until), (1, 2, 200));
    }
}
