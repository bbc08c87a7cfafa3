//! `OperationStore`.

use super::{ROUNDS, backup, begin, operation, process, serve, stores};
use crate::store::{BackupRow, OperationRow, ProcessRow, Replaced};

#[tokio::test]
async fn operations_are_listed_by_owner_oldest_first() {
    for (_database, store) in stores().await {
        begin(store.as_ref(), "one", "a").await;
        begin(store.as_ref(), "other", "b").await;
        let older = OperationRow { start_time: 1, ..operation("two", "a") };
        assert!(store.create_backup(&backup("two", 1), &older).await.unwrap());
        assert_eq!(store.operations("a").await.unwrap(), [older, operation("one", "a")]);
        assert!(store.operations("none").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_dead_process_is_taken_over_once_with_its_operations() {
    for (_database, store) in stores().await {
        begin(store.as_ref(), "one", "dead").await;
        begin(store.as_ref(), "other", "heir").await;
        serve(store.as_ref(), &["late"]).await;
        assert!(store.take_over("dead", 0, "heir").await.unwrap());
        assert!(!store.take_over("dead", 0, "late").await.unwrap());
        assert!(!store.beat("dead").await.unwrap(), "it hears that it was declared dead");
        let dead = ProcessRow { heir: "heir".into(), ..process("dead") };
        assert_eq!(store.processes().await.unwrap(), [dead, process("heir"), process("late")]);
        let taken = OperationRow { fence: 2, ..operation("one", "dead") };
        assert_eq!(store.operations("dead").await.unwrap(), [taken]);
        assert_eq!(store.operations("heir").await.unwrap(), [operation("other", "heir")]);
    }
}

#[tokio::test]
async fn only_a_dead_process_is_taken_over_and_only_by_one_that_serves() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a", "b", "dead"]).await;
        assert!(store.take_over("dead", 0, "b").await.unwrap());
        store.beat("a").await.unwrap();
        assert!(!store.take_over("a", 0, "b").await.unwrap(), "it beat since it was observed");
        assert!(!store.take_over("a", 1, "dead").await.unwrap(), "the heir is dead");
        assert!(!store.take_over("a", 1, "none").await.unwrap(), "there is no such heir");
        assert!(!store.take_over("none", 0, "b").await.unwrap(), "there is no such process");
        assert!(!store.take_over("a", 1, "a").await.unwrap(), "nobody inherits from itself");
        assert!(store.beat("a").await.unwrap());
    }
}

#[tokio::test]
async fn an_heir_that_dies_leaves_what_it_inherited_to_its_own_heir() {
    for (_database, store) in stores().await {
        begin(store.as_ref(), "one", "first").await;
        begin(store.as_ref(), "two", "second").await;
        serve(store.as_ref(), &["third"]).await;
        assert!(store.take_over("first", 0, "second").await.unwrap());
        let of_second = store.operations("first").await.unwrap().remove(0);
        assert!(store.take_over("second", 0, "third").await.unwrap());
        let processes = store.processes().await.unwrap();
        assert_eq!(processes.iter().map(|dead| &*dead.heir).collect::<Vec<_>>(), ["third", "third", ""]);
        assert_eq!(store.operations("first").await.unwrap()[0].fence, 3);
        assert_eq!(store.operations("second").await.unwrap()[0].fence, 2);
        assert!(!store.end_operation(&of_second).await.unwrap());
    }
}

#[tokio::test]
async fn one_of_two_heirs_wins() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a", "b"]).await;
        for round in 0..ROUNDS {
            let (dead, id) = (format!("dead-{round}"), format!("backup-{round}"));
            begin(store.as_ref(), &id, &dead).await;
            let (a, b) = tokio::join!(store.take_over(&dead, 0, "a"), store.take_over(&dead, 0, "b"));
            assert_ne!(a.unwrap(), b.unwrap());
            assert_eq!(store.operations(&dead).await.unwrap()[0].fence, 2);
        }
    }
}

#[tokio::test]
async fn one_of_two_that_take_each_other_over_wins() {
    for (_database, store) in stores().await {
        for round in 0..ROUNDS {
            let (a, b) = (format!("a{round}"), format!("b{round}"));
            serve(store.as_ref(), &[&a, &b]).await;
            let (first, second) = tokio::join!(store.take_over(&a, 0, &b), store.take_over(&b, 0, &a));
            assert_ne!(first.unwrap(), second.unwrap());
        }
    }
}

#[tokio::test]
async fn a_beat_that_races_with_a_take_over_is_heard_or_refused() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["heir"]).await;
        for round in 0..ROUNDS {
            let id = format!("p{round}");
            serve(store.as_ref(), &[&id]).await;
            let (beat, taken) = tokio::join!(store.beat(&id), store.take_over(&id, 0, "heir"));
            assert_ne!(beat.unwrap(), taken.unwrap());
        }
    }
}

#[tokio::test]
async fn an_operation_ends_once_and_by_its_present_fencing_number() {
    for (_database, store) in stores().await {
        let (_, old) = begin(store.as_ref(), "one", "dead").await;
        serve(store.as_ref(), &["heir"]).await;
        store.take_over("dead", 0, "heir").await.unwrap();
        assert!(!store.end_operation(&old).await.unwrap(), "taken over");
        let taken = store.operations("dead").await.unwrap().remove(0);
        assert!(store.end_operation(&taken).await.unwrap());
        assert!(!store.end_operation(&taken).await.unwrap(), "ended");
    }
}

#[tokio::test]
async fn writes_that_race_with_a_take_over_come_before_it_or_are_refused() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["heir"]).await;
        for round in 0..ROUNDS {
            let (dead, id) = (format!("dead-{round}"), format!("backup-{round}"));
            let (begun, old) = begin(store.as_ref(), &id, &dead).await;
            let row = BackupRow { revision: 2, content: "{}".into(), ..begun.row };
            let (replaced, taken, ended) = tokio::join!(
                store.replace(&row, 1, &[], Some(&old)),
                store.take_over(&dead, 0, "heir"),
                store.end_operation(&old),
            );
            assert!(taken.unwrap());
            let is_written = store.backup(&id).await.unwrap().unwrap().row.revision == 2;
            assert_eq!(replaced.unwrap() == Replaced::Done, is_written);
            let left = store.operations(&dead).await.unwrap();
            assert_eq!(ended.unwrap(), left.is_empty());
            assert!(left.iter().all(|operation| operation.fence == 2));
        }
    }
}

#[tokio::test]
async fn an_operation_that_begins_while_its_process_is_taken_over_is_taken_over_or_refused() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["heir"]).await;
        for round in 0..ROUNDS {
            let (dead, id) = (format!("dead-{round}"), format!("backup-{round}"));
            serve(store.as_ref(), &[&dead]).await;
            let (backup, begun) = (backup(&id, 1), operation(&id, &dead));
            let (created, taken) =
                tokio::join!(store.create_backup(&backup, &begun), store.take_over(&dead, 0, "heir"));
            assert!(taken.unwrap());
            let fences: Vec<_> = store.operations(&dead).await.unwrap().iter().map(|of| of.fence).collect();
            assert_eq!(fences, if created.unwrap() { vec![2] } else { Vec::new() });
        }
    }
}

#[test]
fn a_delegation_is_not_shown() {
    let shown = format!("{:?}", operation("one", "a"));
    assert_eq!(shown, "OperationRow(create one of \"one.zip\", owner a, fence 1)");
}
