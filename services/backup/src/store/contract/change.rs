//! `CatalogueStore`: changes of a backup, and the fencing of operations.

use super::{ROUNDS, backup, begin, copy, serve, stores};
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, Replaced, Store, StoredBackup};

/// The same row after a change.
fn changed(stored: &StoredBackup) -> BackupRow {
    let (revision, hold) = (stored.row.revision + 1, true);
    BackupRow { revision, hold, state: BackupState::Available, ..stored.row.clone() }
}

async fn read(store: &dyn Store, id: &str) -> StoredBackup {
    store.backup(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_backup_is_replaced_at_the_revision_that_was_read() {
    for (_database, store) in stores().await {
        let (begun, operation) = begin(store.as_ref(), "one", "a").await;
        let row = changed(&begun);
        assert_eq!(store.replace(&row, 2, &[], None).await.unwrap(), Replaced::Stale);
        assert_eq!(read(store.as_ref(), "one").await, begun);
        let copies = [
            CopyRow { state: CopyState::Stored, etag: "tag".into(), ..copy("one", "second", 1) },
            copy("one", "third", 2),
        ];
        assert_eq!(store.replace(&row, 1, &copies, Some(&operation)).await.unwrap(), Replaced::Done);
        let [second, third] = copies;
        let copies = vec![begun.copies[0].clone(), second, third];
        assert_eq!(read(store.as_ref(), "one").await, StoredBackup { row: row.clone(), copies });
        assert_eq!(store.replace(&row, 1, &[], None).await.unwrap(), Replaced::Stale);
        let gone = BackupRow { id: "gone".into(), ..row };
        assert_eq!(store.replace(&gone, 2, &[], None).await.unwrap(), Replaced::Stale);
    }
}

#[tokio::test]
async fn a_stale_change_leaves_the_copies_alone() {
    for (_database, store) in stores().await {
        let (begun, _) = begin(store.as_ref(), "one", "a").await;
        let copies = [copy("one", "third", 2)];
        assert_eq!(store.replace(&changed(&begun), 9, &copies, None).await.unwrap(), Replaced::Stale);
        assert_eq!(read(store.as_ref(), "one").await, begun);
    }
}

#[tokio::test]
async fn one_of_two_changes_of_one_revision_wins() {
    for (_database, store) in stores().await {
        for round in 0..ROUNDS {
            let begun = backup(&format!("b{round}"), 1);
            store.adopt_backup(&begun).await.unwrap();
            let row = changed(&begun);
            let (first, second) =
                tokio::join!(store.replace(&row, 1, &[], None), store.replace(&row, 1, &[], None));
            let mut outcomes = [first.unwrap(), second.unwrap()];
            outcomes.sort_by_key(|outcome| *outcome == Replaced::Stale);
            assert_eq!(outcomes, [Replaced::Done, Replaced::Stale]);
        }
    }
}

#[tokio::test]
async fn an_operation_that_was_taken_over_writes_nothing() {
    for (_database, store) in stores().await {
        let (begun, old) = begin(store.as_ref(), "one", "dead").await;
        serve(store.as_ref(), &["heir"]).await;
        store.take_over("dead", 0, "heir").await.unwrap();
        let (row, third) = (changed(&begun), copy("one", "third", 2));
        let replaced = store.replace(&row, 1, std::slice::from_ref(&third), Some(&old)).await.unwrap();
        assert_eq!(replaced, Replaced::Fenced);
        assert!(!store.set_copy(&third, &old).await.unwrap());
        assert!(!store.set_progress("{}", &old).await.unwrap());
        assert_eq!(read(store.as_ref(), "one").await, begun);
        let taken = store.operations("dead").await.unwrap().remove(0);
        assert!(store.set_progress("{}", &taken).await.unwrap());
        assert!(store.set_copy(&third, &taken).await.unwrap());
        let row = BackupRow { revision: 3, ..row };
        assert_eq!(store.replace(&row, 2, &[], Some(&taken)).await.unwrap(), Replaced::Done);
    }
}

#[tokio::test]
async fn an_operation_that_has_ended_writes_nothing() {
    for (_database, store) in stores().await {
        let (begun, ended) = begin(store.as_ref(), "one", "a").await;
        assert!(store.end_operation(&ended).await.unwrap());
        let replaced = store.replace(&changed(&begun), 1, &[], Some(&ended)).await.unwrap();
        assert_eq!(replaced, Replaced::Fenced);
        assert!(!store.set_copy(&copy("one", "third", 2), &ended).await.unwrap());
    }
}

#[tokio::test]
async fn a_copy_is_set_without_the_others_or_the_backup() {
    for (_database, store) in stores().await {
        let (begun, operation) = begin(store.as_ref(), "one", "a").await;
        let uploading = CopyRow { upload_id: "upload".into(), ..copy("one", "first", 0) };
        assert!(store.set_copy(&uploading, &operation).await.unwrap());
        let copies = vec![uploading, begun.copies[1].clone()];
        assert_eq!(read(store.as_ref(), "one").await, StoredBackup { copies, ..begun });
    }
}

#[tokio::test]
async fn progress_is_set_only_while_the_backup_is_made() {
    for (_database, store) in stores().await {
        let (begun, operation) = begin(store.as_ref(), "one", "a").await;
        assert!(store.set_progress("{\"bytes\":1}", &operation).await.unwrap());
        let made = read(store.as_ref(), "one").await;
        let row = BackupRow { progress: "{\"bytes\":1}".into(), revision: 2, ..begun.row.clone() };
        assert_eq!(made, StoredBackup { row, ..begun });
        assert_eq!(store.replace(&changed(&made), 2, &[], None).await.unwrap(), Replaced::Done);
        assert!(!store.set_progress("late", &operation).await.unwrap());
        assert_eq!(read(store.as_ref(), "one").await.row, changed(&made));
    }
}
