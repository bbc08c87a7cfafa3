//! `KeyStore`.

use super::{event, events, stores};
use crate::store::{KeyVersionRow, RootKeyRow};

fn root(id: &str) -> RootKeyRow {
    RootKeyRow { id: id.into(), check_value: vec![1, 2, 3], create_time: 5 }
}

fn version(kid: &str, key_id: &str) -> KeyVersionRow {
    KeyVersionRow {
        kid: kid.into(),
        key_id: key_id.into(),
        purpose: "credential".into(),
        number: 1,
        state: "primary".into(),
        root_key_id: "aa".into(),
        wrapped: "srk1.x".into(),
        create_time: 5,
        destroy_time: None,
        destroy_approved: false,
    }
}

#[tokio::test]
async fn a_ring_is_created_once() {
    for (_database, store) in stores().await {
        assert!(store.root_keys().await.unwrap().is_empty());
        let versions = [version("02", "page"), version("01", "credential")];
        assert!(store.create_ring(&root("aa"), &versions, &event("key.ring_created")).await.unwrap());
        assert!(!store.create_ring(&root("bb"), &[], &event("key.ring_created")).await.unwrap());
        let roots = store.root_keys().await.unwrap();
        assert_eq!((roots.len(), roots[0].check_value.as_slice()), (1, [1, 2, 3].as_slice()));
        let kids: Vec<_> = store.key_versions().await.unwrap().into_iter().map(|row| row.kid).collect();
        assert_eq!(kids, ["01", "02"], "by key, then number");
        assert_eq!(events(store.as_ref()).await, ["key.ring_created"]);
    }
}

#[tokio::test]
async fn of_two_first_starts_one_creates_the_ring() {
    for (_database, store) in stores().await {
        let (first, second) = (root("aa"), root("bb"));
        let (one, two) = ([version("01", "credential")], [version("02", "credential")]);
        let event = event("key.ring_created");
        let (a, b) =
            tokio::join!(store.create_ring(&first, &one, &event), store.create_ring(&second, &two, &event));
        assert_ne!(a.unwrap(), b.unwrap());
        assert_eq!(store.root_keys().await.unwrap().len(), 1);
    }
}
