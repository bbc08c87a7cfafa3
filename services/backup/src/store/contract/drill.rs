//! `DrillStore`.

use super::{operation, serve, stores};
use crate::store::{DrillRow, DrillState, OperationRow, Replaced, ScratchRow};

fn drill(id: &str, create_time: i64) -> DrillRow {
    DrillRow {
        id: id.into(),
        backup_id: format!("backup of {id}"),
        file_name: "a.zip".into(),
        schedule: Some("nightly".into()),
        state: DrillState::Running,
        creator: "token:a".into(),
        create_time,
        end_time: None,
        reason: String::new(),
        problem: String::new(),
        evidence: String::new(),
    }
}

fn drilling(id: &str, owner: &str) -> OperationRow {
    OperationRow { kind: "drill".into(), ..operation(id, owner) }
}

fn ended(drill: &DrillRow, state: DrillState) -> DrillRow {
    let (reason, problem) = ("DRILL_FAILED".into(), "é".into());
    DrillRow { state, end_time: Some(99), reason, problem, evidence: "{}".into(), ..drill.clone() }
}

#[tokio::test]
async fn one_drill_runs_at_a_time_and_ends_with_its_operation() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["p"]).await;
        let (first, second) = (drill("1", 10), drill("2", 10));
        assert_eq!(store.begin_drill(&first, &drilling("1", "p")).await.unwrap(), Replaced::Done);
        assert_eq!(store.running_drill().await.unwrap().as_ref(), Some(&first));
        assert_eq!(store.begin_drill(&second, &drilling("2", "p")).await.unwrap(), Replaced::Stale);
        assert_eq!(store.drill("2").await.unwrap(), None);
        assert_eq!(store.operations("p").await.unwrap(), [drilling("1", "p")], "all of it or nothing");
        let checked = DrillRow { evidence: "{\"rows\":1}".into(), ..first.clone() };
        assert!(store.keep_evidence(&checked, &drilling("1", "p")).await.unwrap());
        assert_eq!(store.drill("1").await.unwrap(), Some(checked));
        let done = ended(&first, DrillState::Passed);
        assert!(store.end_drill(&done, &drilling("1", "p")).await.unwrap());
        assert!(!store.end_drill(&done, &drilling("1", "p")).await.unwrap());
        assert!(!store.keep_evidence(&first, &drilling("1", "p")).await.unwrap());
        assert_eq!(store.drill("1").await.unwrap(), Some(done));
        assert_eq!(store.running_drill().await.unwrap(), None);
        assert!(store.operations("p").await.unwrap().is_empty());
        assert_eq!(store.begin_drill(&second, &drilling("2", "p")).await.unwrap(), Replaced::Done);
        let unknown = store.begin_drill(&drill("3", 1), &drilling("3", "nobody")).await.unwrap();
        assert_eq!(unknown, Replaced::Fenced);
    }
}

#[tokio::test]
async fn drills_are_listed_from_the_newest_and_by_schedule() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["p"]).await;
        let mut rows = Vec::new();
        for (id, time, schedule) in [("a", 10, Some("nightly")), ("b", 10, None), ("c", 30, Some("other"))] {
            let row = DrillRow { schedule: schedule.map(str::to_owned), ..drill(id, time) };
            store.begin_drill(&row, &drilling(id, "p")).await.unwrap();
            let done = ended(&row, DrillState::Failed);
            store.end_drill(&done, &drilling(id, "p")).await.unwrap();
            rows.insert(0, done);
        }
        assert_eq!(store.drills(None, 10).await.unwrap(), rows);
        assert_eq!(store.drills(Some(&(30, "c".into())), 10).await.unwrap(), rows[1..]);
        assert_eq!(store.drills(Some(&(10, "b".into())), 10).await.unwrap(), rows[2..]);
        assert_eq!(store.drills(None, 1).await.unwrap(), rows[..1]);
        assert_eq!(store.last_drill("nightly").await.unwrap().as_ref(), rows.last());
        assert_eq!(store.last_drill("none").await.unwrap(), None);
        let mut undone = drill("d", 40);
        store.begin_drill(&undone, &drilling("d", "p")).await.unwrap();
        undone = ended(&undone, DrillState::NotDone);
        store.end_drill(&undone, &drilling("d", "p")).await.unwrap();
        assert_eq!(store.last_drill("nightly").await.unwrap(), Some(undone));
        assert_eq!(store.last_verdict("nightly").await.unwrap().as_ref(), rows.last());
        assert_eq!(store.last_verdict("none").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_drill_that_was_taken_over_is_ended_by_its_heir_only() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["dead", "heir"]).await;
        let row = drill("1", 10);
        store.begin_drill(&row, &drilling("1", "dead")).await.unwrap();
        store.take_over("dead", 0, "heir").await.unwrap();
        let done = ended(&row, DrillState::Failed);
        assert!(!store.end_drill(&done, &drilling("1", "dead")).await.unwrap());
        assert!(!store.keep_evidence(&done, &drilling("1", "dead")).await.unwrap());
        let inherited = OperationRow { fence: 2, ..drilling("1", "dead") };
        assert!(store.end_drill(&done, &inherited).await.unwrap());
    }
}

#[tokio::test]
async fn places_of_drills_are_known_once_they_have_ended_until_they_are_forgotten() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["p"]).await;
        let row = drill("1", 10);
        store.begin_drill(&row, &drilling("1", "p")).await.unwrap();
        let noted = |kind: &str| ScratchRow {
            drill_id: "1".into(),
            kind: kind.into(),
            place: format!("place of {kind}"),
            end_time: 99,
        };
        for kind in ["sqlite", "postgres", "sqlite"] {
            store.note_scratch(&noted(kind)).await.unwrap();
        }
        assert_eq!(store.ended_scratches().await.unwrap(), [], "it is running");
        store.end_drill(&ended(&row, DrillState::Passed), &drilling("1", "p")).await.unwrap();
        assert_eq!(store.ended_scratches().await.unwrap(), [noted("postgres"), noted("sqlite")]);
        store.forget_scratch("1", "postgres").await.unwrap();
        assert_eq!(store.ended_scratches().await.unwrap(), [noted("sqlite")]);
        // It is older than 400 days, but is not forgotten while leftovers of it may exist.
        let later = drill("2", 99 + 401 * 24 * 3600 * 1_000_000);
        store.begin_drill(&later, &drilling("2", "p")).await.unwrap();
        assert!(store.drill("1").await.unwrap().is_some());
        store.end_drill(&ended(&later, DrillState::Passed), &drilling("2", "p")).await.unwrap();
        store.forget_scratch("1", "sqlite").await.unwrap();
        let latest = drill("3", later.create_time);
        store.begin_drill(&latest, &drilling("3", "p")).await.unwrap();
        assert!(store.drill("1").await.unwrap().is_none());
    }
}
