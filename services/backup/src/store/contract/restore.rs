//! `RestoreStore` and `ArchiveUploadStore`.

use super::{ROUNDS, operation, serve, stores};
use crate::store::{
    ArchiveUploadRow, Begun, OperationRow, Replaced, RestoreRow, RestoreState, Store, TargetRow,
};

fn planned(id: &str, create_time: i64) -> RestoreRow {
    RestoreRow {
        id: id.into(),
        state: RestoreState::Planned,
        creator: "token:a".into(),
        create_time,
        expire_time: create_time + 10,
        rollback_time: None,
        end_time: None,
        reason: String::new(),
        problem: String::new(),
        request: "{\"mode\":\"merge\"}".into(),
        plan: "{\"tables\":[]}".into(),
        journal: String::new(),
        progress: String::new(),
        safety_backup: String::new(),
        revision: 1,
    }
}

/// A restore with a different value in each column.
fn full(id: &str) -> RestoreRow {
    RestoreRow {
        state: RestoreState::Failed,
        rollback_time: Some(21),
        end_time: Some(22),
        reason: "REASON".into(),
        problem: "It failed.".into(),
        journal: "[1]".into(),
        progress: "{\"p\":2}".into(),
        safety_backup: "backup".into(),
        revision: 7,
        ..planned(id, 20)
    }
}

fn restoring(id: &str, owner: &str) -> OperationRow {
    OperationRow { kind: "restore".into(), ..operation(id, owner) }
}

fn applying(row: &RestoreRow) -> RestoreRow {
    RestoreRow { state: RestoreState::Applying, revision: row.revision + 1, ..row.clone() }
}

/// A restore of the source `main` that process `owner` applies.
async fn begin(store: &dyn Store, id: &str, owner: &str) -> (RestoreRow, OperationRow) {
    let (row, operation) = (planned(id, 1), restoring(id, owner));
    store.add_restore(&row).await.unwrap();
    let begun = applying(&row);
    assert_eq!(store.begin_restore(&begun, 1, &["main".into()], &operation).await.unwrap(), Begun::Done);
    (begun, operation)
}

#[tokio::test]
async fn every_column_of_a_restore_comes_back() {
    for (_database, store) in stores().await {
        for row in [planned("one", 1), full("two")] {
            store.add_restore(&row).await.unwrap();
            assert_eq!(store.restore(&row.id).await.unwrap(), Some(row.clone()));
            let changed = RestoreRow { revision: row.revision + 1, ..full(&row.id) };
            assert_eq!(store.replace_restore(&changed, row.revision, None).await.unwrap(), Replaced::Done);
            assert_eq!(store.restore(&row.id).await.unwrap(), Some(changed));
        }
        assert_eq!(store.restore("none").await.unwrap(), None);
        assert!(store.add_restore(&planned("one", 5)).await.is_err(), "the id is taken");
    }
}

#[tokio::test]
async fn restores_are_listed_newest_first_in_pages_and_without_their_plans() {
    for (_database, store) in stores().await {
        for (id, time) in [("a", 1), ("b", 3), ("c", 3), ("d", 2)] {
            store.add_restore(&planned(id, time)).await.unwrap();
        }
        let first = store.restores(None, 3).await.unwrap();
        assert_eq!(first.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["c", "b", "d"]);
        assert!(first.iter().all(|row| row.plan.is_empty() && !row.request.is_empty()));
        let next = store.restores(Some(&(2, "d".into())), 3).await.unwrap();
        assert_eq!(next.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["a"]);
    }
}

#[tokio::test]
async fn one_restore_changes_a_source_at_a_time() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a"]).await;
        let (begun, running) = begin(store.as_ref(), "one", "a").await;
        let other = planned("two", 2);
        store.add_restore(&other).await.unwrap();
        let sources = ["free".to_owned(), "main".to_owned()];
        let second = restoring("two", "a");
        let busy = Begun::Busy(TargetRow { source: "main".into(), restore_id: "one".into() });
        assert_eq!(store.begin_restore(&applying(&other), 1, &sources, &second).await.unwrap(), busy);
        assert_eq!(store.restore("two").await.unwrap(), Some(other.clone()), "nothing of it is left");
        assert_eq!(store.operations("a").await.unwrap(), std::slice::from_ref(&running));

        let step = RestoreRow { journal: "[1]".into(), revision: 3, ..begun };
        assert_eq!(store.replace_restore(&step, 2, Some(&running)).await.unwrap(), Replaced::Done);
        assert_eq!(store.begin_restore(&applying(&other), 1, &sources, &second).await.unwrap(), busy);
        let ended = RestoreRow { state: RestoreState::Applied, revision: 4, ..step };
        assert_eq!(store.replace_restore(&ended, 3, Some(&running)).await.unwrap(), Replaced::Done);
        assert_eq!(store.begin_restore(&applying(&other), 1, &sources, &second).await.unwrap(), Begun::Done);
    }
}

#[tokio::test]
async fn a_restore_begins_from_the_revision_that_was_read_and_in_a_process_that_serves() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a", "dead"]).await;
        store.take_over("dead", 0, "a").await.unwrap();
        let row = planned("one", 1);
        store.add_restore(&row).await.unwrap();
        let sources = ["main".to_owned()];
        let begin = |expected, owner: &'static str| (applying(&row), expected, restoring("one", owner));
        for (row, expected, operation, wanted) in [
            (begin(1, "dead").0, 1, begin(1, "dead").2, Begun::Fenced),
            (begin(2, "a").0, 2, begin(2, "a").2, Begun::Stale),
            (begin(1, "a").0, 1, begin(1, "a").2, Begun::Done),
        ] {
            let begun = store.begin_restore(&row, expected, &sources, &operation).await.unwrap();
            assert_eq!(begun, wanted);
        }
    }
}

#[tokio::test]
async fn one_of_two_restores_of_a_source_wins() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a"]).await;
        for round in 0..ROUNDS {
            let (first, second) = (planned(&format!("x{round}"), 1), planned(&format!("y{round}"), 1));
            for row in [&first, &second] {
                store.add_restore(row).await.unwrap();
            }
            let sources = [format!("s{round}")];
            let (of_first, of_second) = (restoring(&first.id, "a"), restoring(&second.id, "a"));
            let (applying_first, applying_second) = (applying(&first), applying(&second));
            let (one, two) = tokio::join!(
                store.begin_restore(&applying_first, 1, &sources, &of_first),
                store.begin_restore(&applying_second, 1, &sources, &of_second),
            );
            let done = [one.unwrap(), two.unwrap()].iter().filter(|begun| **begun == Begun::Done).count();
            assert_eq!(done, 1);
        }
    }
}

#[tokio::test]
async fn a_restore_that_was_taken_over_writes_nothing() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["dead", "heir"]).await;
        let (begun, old) = begin(store.as_ref(), "one", "dead").await;
        store.take_over("dead", 0, "heir").await.unwrap();
        let row = RestoreRow { state: RestoreState::Applied, revision: 3, ..begun.clone() };
        assert_eq!(store.replace_restore(&row, 2, Some(&old)).await.unwrap(), Replaced::Fenced);
        assert_eq!(store.replace_restore(&row, 9, None).await.unwrap(), Replaced::Stale);
        assert_eq!(store.restore("one").await.unwrap(), Some(begun));
        let taken = OperationRow { fence: 2, ..old };
        assert_eq!(store.replace_restore(&row, 2, Some(&taken)).await.unwrap(), Replaced::Done);
    }
}

#[tokio::test]
async fn what_has_lapsed_is_found_and_plans_are_removed() {
    for (_database, store) in stores().await {
        let rows = [
            planned("plan", 1),
            RestoreRow { state: RestoreState::Refused, ..planned("refused", 2) },
            RestoreRow { state: RestoreState::Applied, rollback_time: Some(15), ..planned("applied", 3) },
            RestoreRow { state: RestoreState::Applied, rollback_time: Some(99), ..planned("young", 4) },
            RestoreRow { state: RestoreState::Applied, ..planned("kept", 5) },
            RestoreRow { state: RestoreState::Failed, ..planned("failed", 6) },
            planned("later", 20),
        ];
        for row in &rows {
            store.add_restore(row).await.unwrap();
        }
        let lapsed = store.restores_to_tend(15, 10).await.unwrap();
        assert_eq!(lapsed, rows[..3]);
        assert_eq!(store.restores_to_tend(15, 1).await.unwrap(), rows[..1]);
        assert!(!store.remove_restore("plan", 2).await.unwrap());
        assert!(store.remove_restore("plan", 1).await.unwrap());
        assert_eq!(store.restore("plan").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_restore_needs_its_archive_and_its_safety_backup_until_its_end() {
    const ARCHIVE: &str = "0197e0a1-0000-7000-8000-00000000000a";
    for (_database, store) in stores().await {
        for state in RestoreState::ALL {
            let id = state.as_str();
            let row = RestoreRow {
                state,
                request: format!("{{\"origin\":{{\"backup\":\"{ARCHIVE}\"}}}}"),
                safety_backup: format!("safety-{id}"),
                ..planned(id, 1)
            };
            store.add_restore(&row).await.unwrap();
            let needing = state.is_busy().then(|| id.to_owned());
            assert_eq!(store.restore_needing(&row.safety_backup).await.unwrap(), needing, "{state:?}");
            assert_eq!(store.restore_needing(ARCHIVE).await.unwrap(), needing, "{state:?}");
            assert_eq!(store.restore_needing("0197e0a1").await.unwrap(), None);
            assert!(store.remove_restore(id, 1).await.unwrap());
        }
    }
}

fn upload(id: &str, host: &str, expire_time: i64) -> ArchiveUploadRow {
    ArchiveUploadRow {
        id: id.into(),
        creator: "token:a".into(),
        file_name: format!("{id}.zip.age"),
        host: host.into(),
        size_bytes: 7,
        sha256: String::new(),
        create_time: 3,
        expire_time,
    }
}

#[tokio::test]
async fn an_upload_is_completed_once() {
    for (_database, store) in stores().await {
        let row = upload("one", "h", 5);
        store.add_upload(&row).await.unwrap();
        assert_eq!(store.upload("one").await.unwrap(), Some(row.clone()));
        assert!(store.complete_upload("one", "ab").await.unwrap());
        assert!(!store.complete_upload("one", "cd").await.unwrap());
        assert!(!store.complete_upload("none", "cd").await.unwrap());
        assert_eq!(store.upload("one").await.unwrap(), Some(ArchiveUploadRow { sha256: "ab".into(), ..row }));
        assert_eq!(store.upload("none").await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_upload_is_removed_by_its_creator_unless_a_restore_reads_it() {
    for (_database, store) in stores().await {
        store.add_upload(&upload("one", "h", 5)).await.unwrap();
        let request = "{\"origin\":{\"upload\":\"one\"}}".to_owned();
        let row = RestoreRow { state: RestoreState::Resumable, request, ..planned("r", 1) };
        store.add_restore(&row).await.unwrap();
        assert!(!store.remove_upload("one", "token:a").await.unwrap());
        assert!(store.remove_restore("r", 1).await.unwrap());
        assert!(!store.remove_upload("one", "token:b").await.unwrap());
        assert!(store.remove_upload("one", "token:a").await.unwrap());
        assert!(!store.remove_upload("one", "token:a").await.unwrap());
        assert_eq!(store.upload("one").await.unwrap(), None);
    }
}

#[tokio::test]
async fn expired_uploads_are_removed() {
    for (_database, store) in stores().await {
        for row in [upload("a", "h", 5), upload("b", "h", 6), upload("c", "other", 5)] {
            store.add_upload(&row).await.unwrap();
        }
        let mut removed = store.remove_expired_uploads(5).await.unwrap();
        removed.sort();
        assert_eq!(removed, ["a", "c"]);
        assert!(store.remove_expired_uploads(5).await.unwrap().is_empty());
        assert!(store.upload("a").await.unwrap().is_none() && store.upload("c").await.unwrap().is_none());
        assert!(store.upload("b").await.unwrap().is_some());
    }
}
