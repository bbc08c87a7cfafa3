//! `ProcessStore`.

use super::{ROUNDS, backup, begin, operation, process, serve, stores};
use crate::store::ProcessRow;

#[tokio::test]
async fn a_database_in_use_answers_a_ping() {
    for (_database, store) in stores().await {
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn each_beat_raises_the_number_of_its_own_process() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["b", "a"]).await;
        assert!(store.beat("a").await.unwrap());
        assert!(store.beat("a").await.unwrap());
        assert!(!store.beat("none").await.unwrap());
        let expected = [ProcessRow { beat: 2, ..process("a") }, process("b")];
        assert_eq!(store.processes().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_process_id_is_registered_once() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a"]).await;
        let refused = store.register_process(&process("a")).await.unwrap_err();
        assert_eq!(refused.kind(), strongroom_store::Kind::Unique);
    }
}

#[tokio::test]
async fn a_process_leaves_once_it_has_no_operation() {
    for (_database, store) in stores().await {
        let (_, operation) = begin(store.as_ref(), "one", "a").await;
        assert!(!store.leave("a").await.unwrap(), "an operation is left");
        assert!(store.end_operation(&operation).await.unwrap());
        assert!(store.leave("a").await.unwrap());
        assert!(!store.leave("a").await.unwrap(), "it is gone");
        assert!(!store.beat("a").await.unwrap());
    }
}

#[tokio::test]
async fn an_heir_leaves_after_those_that_it_inherited_from() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["dead", "heir"]).await;
        assert!(store.take_over("dead", 0, "heir").await.unwrap());
        assert!(!store.leave("heir").await.unwrap());
        assert!(store.leave("dead").await.unwrap());
        assert!(store.leave("heir").await.unwrap());
    }
}

#[tokio::test]
async fn a_process_either_leaves_or_begins_an_operation() {
    for (_database, store) in stores().await {
        for round in 0..ROUNDS {
            let (owner, id) = (format!("p{round}"), format!("b{round}"));
            serve(store.as_ref(), &[&owner]).await;
            let (backup, operation) = (backup(&id, 1), operation(&id, &owner));
            let (left, begun) = tokio::join!(store.leave(&owner), store.create_backup(&backup, &operation));
            assert_ne!(left.unwrap(), begun.unwrap());
        }
    }
}
