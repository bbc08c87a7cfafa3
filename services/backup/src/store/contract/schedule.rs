//! `ScheduleStore`: schedules, and the transactions by which runs begin.

use strongroom_store::Kind;

use super::{ROUNDS, backup, copy, operation, serve, stores};
use crate::store::{
    BackupFilter, BackupRow, BackupState, CopyRow, CopyState, Replaced, ScheduleRow, Store, StoredBackup,
    Turn,
};

const MINUTE: i64 = 60_000_000;

fn schedule(name: &str) -> ScheduleRow {
    ScheduleRow {
        name: name.into(),
        rules: "{\"cron\":\"@daily\"}".into(),
        creator: "token:a".into(),
        delegation: vec![0, 255],
        create_time: 1,
        paused: false,
        orphan_time: None,
        due_time: 20,
        start_time: 25,
        reason: String::new(),
        problem: String::new(),
        verifying_time: None,
        revision: 1,
    }
}

/// A schedule with a different value in each column.
fn full(name: &str) -> ScheduleRow {
    ScheduleRow {
        rules: "{}".into(),
        creator: "token:b".into(),
        delegation: vec![7],
        create_time: 2,
        paused: true,
        orphan_time: Some(3),
        due_time: 4,
        start_time: 5,
        reason: "AWAY".into(),
        problem: "It is away.".into(),
        verifying_time: Some(6),
        revision: 2,
        ..schedule(name)
    }
}

fn turn(row: ScheduleRow) -> Turn {
    Turn { expected: row.revision - 1, schedule: row }
}

/// A run of `nightly` that is due at `due`.
fn run(id: &str, due: Option<i64>) -> StoredBackup {
    let row =
        BackupRow { schedule: Some("nightly".into()), due_time: due, ..backup(id, due.unwrap_or(1)).row };
    StoredBackup { row, copies: Vec::new() }
}

#[tokio::test]
async fn a_schedule_is_what_it_was_made_and_changed_to() {
    for (_database, store) in stores().await {
        assert_eq!(store.schedule("nightly").await.unwrap(), None);
        store.create_schedule(&schedule("nightly")).await.unwrap();
        assert_eq!(store.create_schedule(&full("nightly")).await.unwrap_err().kind(), Kind::Unique);
        assert_eq!(store.schedule("nightly").await.unwrap(), Some(schedule("nightly")));
        assert!(store.replace_schedule(&turn(full("nightly"))).await.unwrap());
        assert!(!store.replace_schedule(&turn(full("nightly"))).await.unwrap(), "it has another revision");
        assert_eq!(store.schedule("nightly").await.unwrap(), Some(full("nightly")));
        store.create_schedule(&schedule("hourly")).await.unwrap();
        assert_eq!(store.schedules().await.unwrap(), [schedule("hourly"), full("nightly")]);
        assert!(!store.remove_schedule("nightly", 1).await.unwrap());
        assert!(store.remove_schedule("nightly", 2).await.unwrap());
        assert!(!store.remove_schedule("nightly", 2).await.unwrap());
        assert_eq!(store.schedules().await.unwrap(), [schedule("hourly")]);
    }
}

#[tokio::test]
async fn what_is_due_is_neither_paused_nor_later() {
    for (_database, store) in stores().await {
        let later = ScheduleRow { start_time: 24, ..schedule("later") };
        let paused = ScheduleRow { paused: true, ..schedule("paused") };
        for row in [schedule("nightly"), later.clone(), paused] {
            store.create_schedule(&row).await.unwrap();
        }
        assert_eq!(store.due_schedules(23).await.unwrap(), []);
        assert_eq!(store.due_schedules(24).await.unwrap(), std::slice::from_ref(&later));
        assert_eq!(store.due_schedules(25).await.unwrap(), [later, schedule("nightly")]);
    }
}

#[tokio::test]
async fn a_run_begins_with_its_backup_or_not_at_all() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a"]).await;
        store.create_schedule(&schedule("nightly")).await.unwrap();
        let moved = turn(full("nightly"));
        let stale = Turn { expected: 9, ..moved.clone() };
        let (one, of_one) = (run("one", Some(20)), operation("one", "a"));
        assert_eq!(store.begin_run(&stale, &one, &of_one).await.unwrap(), Replaced::Stale);
        let of_dead = operation("one", "dead");
        assert_eq!(store.begin_run(&moved, &one, &of_dead).await.unwrap(), Replaced::Fenced);
        assert_eq!(store.backup("one").await.unwrap(), None);
        assert_eq!(store.operations("a").await.unwrap(), []);
        assert_eq!(store.begin_run(&moved, &one, &of_one).await.unwrap(), Replaced::Done);
        assert_eq!(store.backup("one").await.unwrap(), Some(one));
        assert_eq!(store.operations("a").await.unwrap(), [of_one]);
        assert_eq!(store.schedule("nightly").await.unwrap(), Some(full("nightly")));

        let next = turn(ScheduleRow { revision: 3, ..full("nightly") });
        let again = store.begin_run(&next, &run("two", Some(20)), &operation("two", "a")).await.unwrap_err();
        assert_eq!(again.kind(), Kind::Unique, "the run of that due time was made");
        assert_eq!(store.schedule("nightly").await.unwrap(), Some(full("nightly")));
        for id in ["by-hand", "by-hand-again"] {
            let revision = store.schedule("nightly").await.unwrap().unwrap().revision + 1;
            let asked = turn(ScheduleRow { revision, ..full("nightly") });
            let begun = store.begin_run(&asked, &run(id, None), &operation(id, "a")).await.unwrap();
            assert_eq!(begun, Replaced::Done);
        }
        let filter = BackupFilter { schedule: "nightly".into(), ..BackupFilter::default() };
        assert_eq!(store.backups(&filter, 10).await.unwrap().len(), 3);
        let other = BackupFilter { schedule: "other".into(), ..BackupFilter::default() };
        assert_eq!(store.backups(&other, 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn of_two_replicas_one_begins_a_run() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["a", "b"]).await;
        store.create_schedule(&schedule("nightly")).await.unwrap();
        for round in 0..ROUNDS as i64 {
            let row = store.schedule("nightly").await.unwrap().unwrap();
            let moved = turn(ScheduleRow { revision: row.revision + 1, ..row });
            let [one, two] = ["a", "b"].map(|owner| {
                let id = format!("{round}-{owner}");
                (run(&id, Some(round)), operation(&id, owner))
            });
            let (first, second) = tokio::join!(
                store.begin_run(&moved, &one.0, &one.1),
                store.begin_run(&moved, &two.0, &two.1)
            );
            let ends = [first, second].map(|end| end.unwrap_or(Replaced::Stale));
            assert_eq!(ends.iter().filter(|end| **end == Replaced::Done).count(), 1, "{ends:?}");
        }
    }
}

#[tokio::test]
async fn a_run_that_was_not_made_is_recorded_once() {
    for (_database, store) in stores().await {
        store.create_schedule(&schedule("nightly")).await.unwrap();
        let failed = BackupRow { state: BackupState::Failed, ..run("one", Some(20)).row };
        assert!(store.record_run(&turn(full("nightly")), &failed).await.unwrap());
        assert!(!store.record_run(&turn(full("nightly")), &failed).await.unwrap());
        assert_eq!(store.backup("one").await.unwrap().unwrap().row, failed);
        assert_eq!(store.schedule("nightly").await.unwrap(), Some(full("nightly")));
    }
}

async fn adopt(store: &dyn Store, row: BackupRow) {
    assert!(store.adopt_backup(&StoredBackup { row, copies: Vec::new() }).await.unwrap());
}

#[tokio::test]
async fn runs_of_dead_processes_are_those_that_nothing_has_followed() {
    for (_database, store) in stores().await {
        let died = |id: &str, due: i64| BackupRow {
            state: BackupState::Failed,
            reason: "PROCESS_DIED".into(),
            ..run(id, Some(due)).row
        };
        adopt(store.as_ref(), died("one", MINUTE)).await;
        assert_eq!(store.dead_runs().await.unwrap(), [died("one", MINUTE)]);
        let other = BackupRow { schedule: Some("other".into()), ..died("other", MINUTE) };
        adopt(store.as_ref(), other.clone()).await;
        let asked = BackupRow { schedule: None, due_time: None, ..died("asked", 9 * MINUTE) };
        adopt(store.as_ref(), asked).await;
        let stopped = BackupRow { reason: "SHUTTING_DOWN".into(), ..died("stopped", 2 * MINUTE) };
        adopt(store.as_ref(), BackupRow { schedule: Some("third".into()), ..stopped }).await;
        assert_eq!(store.dead_runs().await.unwrap().len(), 3);
        let later = BackupRow { state: BackupState::Available, create_time: 0, ..died("later", 3 * MINUTE) };
        adopt(store.as_ref(), BackupRow { schedule: Some("third".into()), ..later }).await;
        adopt(store.as_ref(), died("two", MINUTE + 1)).await;
        assert_eq!(
            store.dead_runs().await.unwrap(),
            std::slice::from_ref(&other),
            "run two made up for run one, and died too"
        );
        adopt(store.as_ref(), BackupRow { reason: "TOO_LONG".into(), ..died("three", 3 * MINUTE) }).await;
        assert_eq!(store.dead_runs().await.unwrap(), [other]);
    }
}

#[tokio::test]
async fn what_is_to_be_verified_was_stored_and_is_the_longest_unread() {
    for (_database, store) in stores().await {
        let stored = |id: &str, end: i64, verified: Option<i64>, state: CopyState| {
            let row = BackupRow {
                state: BackupState::Available,
                end_time: Some(end),
                verify_time: verified,
                content: format!("{{\"size_bytes\":{end}}}"),
                ..run(id, Some(end)).row
            };
            StoredBackup { row, copies: vec![CopyRow { state, ..copy(id, "first", 0) }] }
        };
        for backup in [
            stored("read-late", 1, Some(90), CopyState::Stored),
            stored("read-early", 2, Some(50), CopyState::Stored),
            stored("never", 60, None, CopyState::Stored),
            stored("gone", 3, None, CopyState::Missing),
            stored("new", 95, None, CopyState::Stored),
        ] {
            assert!(store.adopt_backup(&backup).await.unwrap());
        }
        let ids = async |until: i64, limit: i64| -> Vec<String> {
            let found = store.backups_to_verify("nightly", until, limit).await.unwrap();
            found.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(90, 10).await, ["never", "read-early", "read-late"]);
        assert_eq!(ids(89, 10).await, ["never", "read-early"]);
        assert_eq!(ids(90, 1).await, ["never"]);
        assert!(store.backups_to_verify("other", 90, 10).await.unwrap().is_empty());
        assert_eq!(store.contents_verified_since(50).await.unwrap(), ["{\"size_bytes\":1}"]);
    }
}
