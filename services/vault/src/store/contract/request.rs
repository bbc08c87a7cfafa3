//! `RequestStore`, and the changes that claim a request so they are made only once.

use super::{credential, event, events, stores};
use crate::store::request::KEPT;
use crate::store::{Labels, Once, Replacement, RequestRow, Store, VersionRow};

fn request(request_id: &str, result_id: &str, create_time: i64) -> RequestRow {
    RequestRow {
        principal: "token:a".into(),
        method: "CreateCredential".into(),
        request_id: request_id.into(),
        digest: format!("kid.{result_id}"),
        result_id: result_id.into(),
        create_time,
    }
}

async fn create(store: &dyn Store, number: u32, request: &RequestRow) -> Once<()> {
    let (row, created) = (credential(number, "openai"), event("credential.created"));
    store.create_credential_once(&row, &Labels::new(), request, &created).await.unwrap()
}

#[tokio::test]
async fn a_request_creates_once() {
    for (_database, store) in stores().await {
        let first = request("r", "id-0001", 10);
        assert_eq!(create(store.as_ref(), 1, &first).await, Once::First(()));
        let again = create(store.as_ref(), 2, &request("r", "id-0002", 11)).await;
        assert_eq!(again, Once::Repeated(first.clone()));
        assert_eq!(events(store.as_ref()).await.len(), 1);
        let other = RequestRow { principal: "token:b".into(), ..request("r", "id-0003", 11) };
        assert_eq!(create(store.as_ref(), 3, &other).await, Once::First(()), "ids are the caller's own");
        let found = |now| store.request("token:a", "CreateCredential", "r", now);
        assert_eq!(found(11).await.unwrap(), Some(first));
        assert_eq!(found(10 + KEPT).await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_two_equal_requests_at_once_one_creates() {
    for (_database, store) in stores().await {
        for round in 0..5 {
            let id = format!("r{round}");
            let (a, b) = (request(&id, "id-1", 10), request(&id, "id-2", 10));
            let (a, b) = tokio::join!(
                create(store.as_ref(), 2 * round, &a),
                create(store.as_ref(), 2 * round + 1, &b)
            );
            let firsts = [&a, &b].into_iter().filter(|once| matches!(once, Once::First(()))).count();
            assert_eq!(firsts, 1);
        }
        assert_eq!(events(store.as_ref()).await.len(), 5);
    }
}

#[tokio::test]
async fn a_request_is_forgotten_after_a_day() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, &request("r", "id-0001", 10)).await;
        let later = request("r", "id-0002", 10 + KEPT);
        assert_eq!(create(store.as_ref(), 2, &later).await, Once::First(()));
    }
}

#[tokio::test]
async fn a_sweep_takes_what_is_over_and_nothing_else() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, &request("old", "id-0001", 10)).await;
        create(store.as_ref(), 2, &request("new", "id-0002", 20)).await;
        for (id, expire_time) in [("id-0001", 10 + KEPT), ("id-0002", 11 + KEPT)] {
            let previous = VersionRow {
                id: format!("v-{id}"),
                credential_id: id.into(),
                secret: "srv1.old".into(),
                preview: String::new(),
                create_time: 1,
                expire_time,
            };
            let replacement = Replacement {
                credential_id: id.into(),
                revision: 1,
                secret: "srv1.new".into(),
                preview: String::new(),
                previous: Some(previous),
                now: 1,
            };
            store.replace_secret(&replacement, None, &event("credential.rotated")).await.unwrap();
        }
        assert_eq!(store.sweep(10 + KEPT).await.unwrap(), 2, "one request, one version");
        assert_eq!(store.sweep(10 + KEPT).await.unwrap(), 0);
        assert!(store.previous_secret("id-0002", 10 + KEPT).await.unwrap().is_some());
        assert!(store.request("token:a", "CreateCredential", "new", 20).await.unwrap().is_some());
    }
}
