//! `CatalogueStore`: adding, reading and removing.

use strongroom_store::Kind;

use super::{backup, begin, copy, operation, serve, stores};
use crate::store::{
    BackupFilter, BackupRow, BackupState, CatalogueStore, CopyRow, CopyState, Store, StoredBackup,
};

/// A backup with a different value in each column.
fn full(id: &str) -> StoredBackup {
    let row = BackupRow {
        file_name: "full.zip.age".into(),
        state: BackupState::Deleted,
        creator: "token:full".into(),
        end_time: Some(11),
        reason: "REASON".into(),
        problem: "It failed.".into(),
        selection: "{\"a\":1}".into(),
        content: "{\"b\":2}".into(),
        hold: true,
        delete_time: Some(12),
        purge_time: Some(13),
        verify_time: Some(14),
        verification: "{\"c\":3}".into(),
        progress: "{\"d\":4}".into(),
        revision: 5,
        record_revision: 6,
        schedule: Some("nightly".into()),
        // Backups of one schedule need different due times.
        due_time: Some(id.len() as i64),
        ..backup(id, 10).row
    };
    let stored = CopyRow {
        state: CopyState::Stored,
        reason: "SLOW".into(),
        problem: "It was slow.".into(),
        upload_id: "upload".into(),
        etag: "tag".into(),
        recorded: 6,
        ..copy(id, "b", 0)
    };
    StoredBackup { row, copies: vec![stored, copy(id, "a", 1)] }
}

async fn adopt(store: &dyn Store, stored: &[StoredBackup]) {
    for stored in stored {
        assert!(store.adopt_backup(stored).await.unwrap());
    }
}

async fn ids(store: &dyn CatalogueStore, filter: &BackupFilter, limit: i64) -> Vec<String> {
    let found = store.backups(filter, limit).await.unwrap();
    found.into_iter().map(|stored| stored.row.id).collect()
}

#[tokio::test]
async fn a_backup_is_created_with_its_copies_and_its_operation() {
    for (_database, store) in stores().await {
        let (begun, running) = begin(store.as_ref(), "one", "a").await;
        assert_eq!(store.backup("one").await.unwrap(), Some(begun.clone()));
        assert_eq!(store.operations("a").await.unwrap(), [running]);
        assert_eq!(store.backup("none").await.unwrap(), None);
        let again = store.create_backup(&begun, &operation("two", "a")).await.unwrap_err();
        assert_eq!(again.kind(), Kind::Unique);
        assert_eq!(store.operations("a").await.unwrap().len(), 1, "nothing of it is left");
    }
}

#[tokio::test]
async fn a_process_that_was_declared_dead_creates_no_backup() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["dead", "heir"]).await;
        store.take_over("dead", 0, "heir").await.unwrap();
        for owner in ["dead", "none"] {
            assert!(!store.create_backup(&backup("one", 1), &operation("one", owner)).await.unwrap());
        }
        assert_eq!(store.backup("one").await.unwrap(), None);
    }
}

#[tokio::test]
async fn every_column_comes_back_as_it_was_written() {
    for (_database, store) in stores().await {
        let full = full("full");
        assert!(store.adopt_backup(&full).await.unwrap());
        assert_eq!(store.backup("full").await.unwrap(), Some(full));
    }
}

#[tokio::test]
async fn a_backup_that_is_known_is_not_adopted() {
    for (_database, store) in stores().await {
        let known = backup("one", 1);
        adopt(store.as_ref(), std::slice::from_ref(&known)).await;
        assert!(!store.adopt_backup(&full("one")).await.unwrap());
        assert_eq!(store.backup("one").await.unwrap(), Some(known), "its copies are not added either");
    }
}

#[tokio::test]
async fn pages_are_newest_first_also_where_create_times_are_equal() {
    for (_database, store) in stores().await {
        let all = [("b", 5), ("a", 5), ("C", 5), ("old", 1), ("new", 9)].map(|(id, time)| backup(id, time));
        adopt(store.as_ref(), &all).await;
        let mut filter = BackupFilter::default();
        let mut seen = Vec::new();
        loop {
            let page = store.backups(&filter, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.before = Some((last.row.create_time, last.row.id.clone()));
            seen.extend(page.into_iter().map(|stored| stored.row.id));
        }
        assert_eq!(seen, ["new", "b", "a", "C", "old"], "ids compare by bytes");
    }
}

#[tokio::test]
async fn backups_are_listed_by_state_with_their_own_copies() {
    for (_database, store) in stores().await {
        let failed = BackupRow { state: BackupState::Failed, ..backup("failed", 20).row };
        let failed = StoredBackup { row: failed, copies: vec![copy("failed", "a", 0)] };
        let (deleted, creating) = (full("deleted"), backup("creating", 1));
        adopt(store.as_ref(), &[deleted.clone(), creating, failed.clone()]).await;
        let states = vec![BackupState::Failed, BackupState::Deleted];
        let filter = BackupFilter { states, ..BackupFilter::default() };
        assert_eq!(store.backups(&filter, 10).await.unwrap(), [failed, deleted]);
        let none = BackupFilter { states: vec![BackupState::Unverified], ..BackupFilter::default() };
        assert!(ids(store.as_ref(), &none, 10).await.is_empty());
        assert_eq!(ids(store.as_ref(), &BackupFilter::default(), 2).await, ["failed", "deleted"]);
    }
}

#[tokio::test]
async fn every_state_comes_back() {
    for (_database, store) in stores().await {
        for state in BackupState::ALL {
            let row = BackupRow { state, ..backup(state.as_str(), 1).row };
            adopt(store.as_ref(), &[StoredBackup { row, copies: Vec::new() }]).await;
            assert_eq!(store.backup(state.as_str()).await.unwrap().unwrap().row.state, state);
        }
        for state in CopyState::ALL {
            let copies = vec![CopyRow { state, ..copy(&format!("of {state:?}"), "a", 0) }];
            let of_state = StoredBackup { copies, ..backup(&format!("of {state:?}"), 1) };
            adopt(store.as_ref(), std::slice::from_ref(&of_state)).await;
            assert_eq!(store.backup(&of_state.row.id).await.unwrap(), Some(of_state));
        }
    }
}

#[tokio::test]
async fn an_unknown_state_is_an_error() {
    for (database, store) in stores().await {
        adopt(store.as_ref(), &[full("one")]).await;
        database.run("UPDATE backup_copies SET state = 'lost'");
        let error = store.backup("one").await.unwrap_err();
        assert!(error.to_string().contains("backup_copies.state holds \"lost\""), "{error}");
        database.run("UPDATE backups SET state = 'odd'");
        let error = store.backups(&BackupFilter::default(), 10).await.unwrap_err();
        assert!(error.to_string().contains("backups.state holds \"odd\""), "{error}");
        assert_eq!(error.kind(), Kind::Internal);
    }
}

#[tokio::test]
async fn a_backup_is_removed_at_the_revision_that_was_read() {
    for (database, store) in stores().await {
        adopt(store.as_ref(), &[full("one"), full("other")]).await;
        assert!(!store.remove_backup("one", 4).await.unwrap());
        assert!(store.backup("one").await.unwrap().is_some());
        assert!(store.remove_backup("one", 5).await.unwrap());
        assert!(!store.remove_backup("one", 5).await.unwrap());
        assert_eq!(ids(store.as_ref(), &BackupFilter::default(), 10).await, ["other"]);
        assert_eq!(database.number("SELECT count(*) FROM backup_copies"), 2, "those of the other one");
    }
}
