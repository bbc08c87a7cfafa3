//! `ReferenceStore`.

use super::{credential, event, events, stores};
use crate::store::{Changed, Labels, ReferenceFilter, ReferenceRow, Store};

fn reference(kind: &str, consumer: &str, credential_id: &str, time: i64) -> ReferenceRow {
    ReferenceRow {
        kind: kind.into(),
        consumer: consumer.into(),
        credential_id: Some(credential_id.into()),
        needs_provider: "openai".into(),
        create_time: time,
        update_time: time,
    }
}

async fn with_credentials(store: &dyn Store) {
    for number in [1, 2] {
        let row = credential(number, "openai");
        store.create_credential(&row, &Labels::new(), &event("credential.created")).await.unwrap();
    }
}

#[tokio::test]
async fn binding_again_replaces_the_credential() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        let bound = event("reference.bound");
        store.bind_reference(&reference("endpoint", "chat", "id-0001", 5), &bound).await.unwrap();
        let again = store.bind_reference(&reference("endpoint", "chat", "id-0002", 9), &bound).await.unwrap();
        let Changed::Done(again) = again else { panic!("{again:?}") };
        assert_eq!(again.credential_id.as_deref(), Some("id-0002"));
        assert_eq!((again.create_time, again.update_time), (5, 9));
        let missing =
            store.bind_reference(&reference("endpoint", "chat", "id-0003", 9), &bound).await.unwrap();
        assert_eq!(missing, Changed::Missing);
        assert_eq!(events(store.as_ref()).await.len(), 4, "a refused binding leaves no event");
    }
}

#[tokio::test]
async fn lists_filter_and_page_by_kind_and_consumer() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        for (kind, consumer, id) in
            [("endpoint", "b", "id-0001"), ("endpoint", "a", "id-0002"), ("template", "a", "id-0001")]
        {
            store.bind_reference(&reference(kind, consumer, id, 1), &event("reference.bound")).await.unwrap();
        }
        let all = ReferenceFilter::default();
        let of_first = ReferenceFilter { credential_id: "id-0001".into(), ..Default::default() };
        let endpoints = ReferenceFilter { kind: "endpoint".into(), ..Default::default() };
        let cases = [
            (&all, ("", ""), 10, vec!["endpoint/a", "endpoint/b", "template/a"]),
            (&all, ("endpoint", "a"), 1, vec!["endpoint/b"]),
            (&all, ("endpoint", "b"), 10, vec!["template/a"]),
            (&of_first, ("", ""), 10, vec!["endpoint/b", "template/a"]),
            (&endpoints, ("", ""), 10, vec!["endpoint/a", "endpoint/b"]),
        ];
        for (filter, after, limit, expected) in cases {
            let found = store.references(filter, after, limit).await.unwrap();
            let found: Vec<_> = found.iter().map(|row| format!("{}/{}", row.kind, row.consumer)).collect();
            assert_eq!(found, expected, "{filter:?} after {after:?}");
        }
    }
}

#[tokio::test]
async fn a_reference_is_released_once() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        store
            .bind_reference(&reference("endpoint", "chat", "id-0001", 5), &event("reference.bound"))
            .await
            .unwrap();
        let released = event("reference.released");
        assert!(store.release_reference("endpoint", "chat", &released).await.unwrap());
        assert!(!store.release_reference("endpoint", "chat", &released).await.unwrap());
        assert_eq!(events(store.as_ref()).await.len(), 4);
    }
}
