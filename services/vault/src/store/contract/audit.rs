//! `AuditStore`.

use std::sync::Arc;

use strongroom_testkit::TestDb;

use super::{credential, event, events, stores};
use crate::store::{CloseFilter, EventFilter, Labels, NewEvent, Prunable, Store, Use, open};

fn started(operation: &str, instance: &str, time: i64) -> NewEvent {
    NewEvent {
        time,
        event: "backup.export_started".into(),
        metadata: format!("{{\"instance\":\"{instance}\"}}"),
        operation_id: Some(operation.into()),
        ..event("")
    }
}

#[tokio::test]
async fn the_head_follows_the_newest_event() {
    for (_database, store) in stores().await {
        assert_eq!(store.audit_head().await.unwrap().sequence, 0);
        assert_eq!(store.append_event(&event("access.denied")).await.unwrap(), 1);
        assert_eq!(store.append_event(&event("access.denied")).await.unwrap(), 2);
        let head = store.audit_head().await.unwrap();
        assert_eq!((head.sequence, head.time), (2, Some(1_000)));
        assert_eq!((head.mac.unwrap().len(), head.key_kid.unwrap().len()), (32, 16));
    }
}

#[tokio::test]
async fn concurrent_appends_leave_no_gap() {
    for (_database, store) in stores().await {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let store: Arc<dyn Store> = Arc::clone(&store);
                tokio::spawn(async move {
                    for _ in 0..10 {
                        store.append_event(&event("access.denied")).await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(events(store.as_ref()).await.len(), 80);
    }
}

#[tokio::test]
async fn an_operations_event_is_recorded_once() {
    for (_database, store) in stores().await {
        let start = started("op-1", "a", 5);
        assert_eq!(store.append_event(&start).await.unwrap(), 1);
        assert_eq!(store.append_event(&start).await.unwrap(), 1, "a repeat answers with the first");
        let end = NewEvent { event: "backup.exported".into(), ..start };
        assert_eq!(store.append_event(&end).await.unwrap(), 2);
        assert_eq!(events(store.as_ref()).await.len(), 2);
    }
}

#[tokio::test]
async fn uses_are_logged_and_marked_together() {
    for (_database, store) in stores().await {
        store
            .create_credential(&credential(1, "openai"), &Labels::new(), &event("credential.created"))
            .await
            .unwrap();
        let used = |time, credential_id: Option<&str>| Use {
            event: NewEvent { time, ..event("credential.revealed") },
            credential_id: credential_id.map(str::to_owned),
        };
        store
            .append_uses(&[used(50, Some("id-0001")), used(40, Some("id-0001")), used(60, None)])
            .await
            .unwrap();
        let row = super::row(store.as_ref(), "id-0001").await.unwrap();
        assert_eq!((row.last_used_time, row.revision), (Some(50), 1), "the latest use, and no new revision");
        assert_eq!(events(store.as_ref()).await.len(), 4);
    }
}

#[tokio::test]
async fn lists_filter_and_page_newest_first() {
    for (_database, store) in stores().await {
        for (name, actor, time) in [
            ("credential.created", "token:a", 10),
            ("credential.deleted", "token:b", 20),
            ("credentials.odd", "token:a", 30),
            ("token.issued", "token:a", 40),
        ] {
            let row = NewEvent { actor: actor.into(), time, target: name.into(), ..event(name) };
            store.append_event(&row).await.unwrap();
        }
        let base = EventFilter::default;
        let cases = [
            (base(), i64::MAX, 10, vec![4, 3, 2, 1]),
            (base(), 3, 1, vec![2]),
            (EventFilter { event: "credential.*".into(), ..base() }, i64::MAX, 10, vec![2, 1]),
            (EventFilter { event: "token.issued".into(), ..base() }, i64::MAX, 10, vec![4]),
            (EventFilter { actor: "token:b".into(), ..base() }, i64::MAX, 10, vec![2]),
            (EventFilter { target: "token.issued".into(), ..base() }, i64::MAX, 10, vec![4]),
            (EventFilter { since: Some(20), until: Some(40), ..base() }, i64::MAX, 10, vec![3, 2]),
        ];
        for (filter, before, limit, expected) in cases {
            let found = store.events(&filter, before, limit).await.unwrap();
            let found: Vec<_> = found.iter().map(|row| row.sequence).collect();
            assert_eq!(found, expected, "{filter:?} before {before}");
        }
    }
}

#[tokio::test]
async fn abandoned_operations_are_closed_once() {
    for (_database, store) in stores().await {
        for start in [
            started("mine", "a", 50),
            started("other", "b", 50),
            started("old", "b", 5),
            started("done", "a", 50),
        ] {
            store.append_event(&start).await.unwrap();
        }
        let done = NewEvent { event: "backup.exported".into(), ..started("done", "a", 51) };
        store.append_event(&done).await.unwrap();
        let filter = CloseFilter {
            started_event: "backup.export_started".into(),
            ended_event: "backup.exported".into(),
            instance: "a".into(),
            started_before: 10,
            closer: "token:service".into(),
            closer_name: "backup service".into(),
        };
        assert_eq!(store.close_operations(&filter, 60).await.unwrap(), 2, "mine and old");
        assert_eq!(store.close_operations(&filter, 61).await.unwrap(), 0);
        let ends = EventFilter { event: "backup.exported".into(), ..Default::default() };
        let ends = store.events(&ends, i64::MAX, 10).await.unwrap();
        let unknown: Vec<_> = ends.iter().filter(|row| row.outcome == "unknown").collect();
        assert_eq!(unknown.len(), 2);
        for row in unknown {
            assert_eq!((&*row.actor, &*row.via, row.time), ("token:service", "token:service", 60));
            let metadata: serde_json::Value = serde_json::from_str(&row.metadata).unwrap();
            assert_eq!(metadata["started_by"], "token:tester");
            assert_eq!(metadata["actor_name"], "backup service");
            assert!(metadata["instance"].is_string(), "{metadata}");
        }
    }
}

#[tokio::test]
async fn nothing_is_appended_without_a_chain() {
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let refused = store.append_event(&event("access.denied")).await.unwrap_err();
        assert!(matches!(refused, strongroom_store::Error::Audit(_)), "{refused}");
        assert_eq!(events(store.as_ref()).await.len(), 0);
    }
}

#[tokio::test]
async fn events_come_in_order_up_to_a_place() {
    for (_database, store) in stores().await {
        for name in ["a.x", "b.x", "a.y", "a.z"] {
            store.append_event(&event(name)).await.unwrap();
        }
        let family = EventFilter { event: "a.*".into(), ..Default::default() };
        for (filter, after, through, limit, expected) in [
            (EventFilter::default(), 0, 3, 10, vec![1, 2, 3]),
            (EventFilter::default(), 1, 9, 2, vec![2, 3]),
            (family, 0, 9, 10, vec![1, 3, 4]),
        ] {
            let found = store.events_after(&filter, after, through, limit).await.unwrap();
            assert_eq!(found.iter().map(|row| row.sequence).collect::<Vec<_>>(), expected);
        }
    }
}

#[tokio::test]
async fn a_prefix_is_pruned_behind_a_checkpoint() {
    for (_database, store) in stores().await {
        // The fourth event is newer than the fifth. A pruned range has no gaps, so pruning up to time 50 stops before
        // the fourth event and leaves the fifth, although that is older.
        for time in [10, 20, 30, 60, 40, 70] {
            store.append_event(&NewEvent { time, ..event("a.x") }).await.unwrap();
        }
        assert_eq!(store.first_event().await.unwrap(), 1);
        assert_eq!(store.prunable(5, 100).await.unwrap(), None);
        assert_eq!(store.prunable(50, 2).await.unwrap(), Some(Prunable { first: 1, last: 2 }));
        assert_eq!(
            store.prunable(99, 100).await.unwrap(),
            Some(Prunable { first: 1, last: 5 }),
            "never the newest"
        );
        let prunable = store.prunable(50, 100).await.unwrap().unwrap();
        assert_eq!(prunable, Prunable { first: 1, last: 3 });
        let pruned = event("audit.pruned");
        assert_eq!(store.prune_events(prunable, 80, &pruned).await.unwrap(), Some(3));
        assert_eq!(store.prune_events(prunable, 80, &pruned).await.unwrap(), None, "somebody was faster");
        assert_eq!(store.first_event().await.unwrap(), 4);
    }
}
