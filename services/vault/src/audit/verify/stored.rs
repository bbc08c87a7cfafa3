//! Verifies logs that the store wrote, on both engines.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use strongroom_testkit::TestDb;

use super::*;
use crate::store::chain::tests::audit_ring;
use crate::store::{NewEvent, Store, Use, open};

fn event(name: &str) -> NewEvent {
    NewEvent { time: 1_000, event: name.into(), metadata: "{}".into(), ..NewEvent::default() }
}

async fn verify(store: &dyn Store, ring: &KeyRing) -> Verification {
    let mut verifier = Verifier::new(ring, None);
    store.read_chain(&mut verifier).await.unwrap();
    verifier.finish().unwrap()
}

#[tokio::test]
async fn two_stores_on_one_database_keep_one_chain() {
    for database in TestDb::each() {
        let ring = audit_ring();
        let mut writers = Vec::new();
        for _ in 0..2 {
            let store = open(&database.url()).await.unwrap();
            store.set_chain(ChainKey::primary(&ring).unwrap());
            for batch in 1..=4 {
                let store = Arc::clone(&store);
                writers.push(tokio::spawn(async move {
                    for _ in 0..10 {
                        let used = Use { event: event("credential.revealed"), credential_id: None };
                        store.append_uses(&vec![used; batch]).await.unwrap();
                        store.append_event(&event("access.denied")).await.unwrap();
                    }
                }));
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let store = open(&database.url()).await.unwrap();
        let found = verify(store.as_ref(), &ring).await;
        assert_eq!((found.events, found.problems), (2 * 10 * (1 + 2 + 3 + 4 + 4), vec![]));
    }
}

#[tokio::test]
async fn a_log_verifies_from_the_checkpoint_behind_which_it_was_pruned() {
    for database in TestDb::each() {
        let ring = audit_ring();
        let store = open(&database.url()).await.unwrap();
        store.set_chain(ChainKey::primary(&ring).unwrap());
        for time in [10, 20, 30, 60, 40, 70] {
            store.append_event(&NewEvent { time, ..event("a.x") }).await.unwrap();
        }
        let prunable = store.prunable(50, 100).await.unwrap().unwrap();
        store.prune_events(prunable, 80, &event("audit.pruned")).await.unwrap();
        let found = verify(store.as_ref(), &ring).await;
        assert_eq!((found.first_sequence, found.last_sequence, found.problems), (4, 7, vec![]));
        database.run("DELETE FROM audit_checkpoints");
        assert_eq!(verify(store.as_ref(), &ring).await.problems[0].reason, Reason::Missing);
    }
}
