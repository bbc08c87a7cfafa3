//! A restore from its plan to its rollback.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::ChosenRows;
use strongroom_api::backup::v1::{BackupState, RestoreMode, RestoreState, RowChange};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::status::reason_of;
use tonic::Code;

use super::{ours, users, with_backup};
use crate::support::database::run;
use crate::support::restore::{Restoring, of_backup, reasons};

const BEFORE: &str = "1Ada,2a \"quoted\" name,3é";
const CHANGE: &str = "UPDATE users SET name = 'Eve' WHERE id = 1; DELETE FROM users WHERE id = 2;
    INSERT INTO users VALUES (9, 'new');";
const CHANGED: &str = "1Eve,3é,9new";

#[tokio::test(flavor = "multi_thread")]
async fn a_replace_is_planned_applied_and_rolled_back() {
    let (mut stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    run(&folder, CHANGE).await;
    let mut client = Restoring::of(&stored.service);
    let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    assert_eq!((plan.sources.as_slice(), plan.confirm.as_str()), (&["gateway".to_owned()][..], "gateway"));
    assert_eq!((&plan.backup_id, &plan.archive_id), (&backup, &backup));
    let source = &plan.plan.as_ref().unwrap().sources[0];
    let table = source.tables.iter().find(|table| table.table == "users").unwrap();
    let counts = [table.rows, table.created, table.changed, table.deleted, table.kept];
    assert_eq!(counts, [3, 1, 1, 1, 1], "{table:?}");
    let mut examples: Vec<(RowChange, &str)> =
        table.examples.iter().map(|example| (example.change(), example.key.as_str())).collect();
    examples.sort();
    let expected =
        [(RowChange::Created, "[\"2\"]"), (RowChange::Changed, "[\"1\"]"), (RowChange::Deleted, "[\"9\"]")];
    assert_eq!(examples, expected);
    assert_eq!(users(&folder).await, CHANGED, "a plan changes nothing");
    assert!(ours(&folder).await.is_empty(), "{:?}", ours(&folder).await);
    let planned = stored.vault().wait_for("restore.planned").await;
    assert_eq!(planned.outcome(), AuditOutcome::Success);

    let applied = client.apply(&plan).await.unwrap();
    assert_eq!(applied.state(), RestoreState::Applied, "{applied:?}");
    assert_eq!(users(&folder).await, BEFORE);
    let steps: Vec<&str> = applied.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["safety-backup", "staging", "staged", "swapping", "swapped"]);
    let safety = stored.get(&applied.safety_backup_id).await.unwrap();
    assert_eq!(safety.state(), BackupState::Available);
    assert!(safety.selection.as_ref().unwrap().tables.contains(&"users".to_owned()), "{safety:?}");
    let completed = stored.vault().wait_for("restore.completed").await;
    assert_eq!((completed.outcome(), &completed.target), (AuditOutcome::Success, &applied.file_name));
    stored.vault().wait_for("restore.started").await;

    let rolled_back = client.roll_back(&plan.id, false).await.unwrap();
    assert_eq!(rolled_back.state(), RestoreState::RolledBack, "{rolled_back:?}");
    assert_eq!(users(&folder).await, CHANGED);
    assert!(ours(&folder).await.is_empty(), "{:?}", ours(&folder).await);
    assert_eq!(stored.vault().wait_for("restore.rolled_back").await.outcome(), AuditOutcome::Success);
    let again = client.roll_back(&plan.id, false).await.unwrap_err();
    assert_eq!((again.code(), reason_of(&again).as_str()), (Code::FailedPrecondition, "RESTORE_STATE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_since_a_restore_are_lost_only_on_request() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    run(&folder, CHANGE).await;
    let mut client = Restoring::of(&stored.service);
    let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    client.apply(&plan).await.unwrap();
    run(&folder, "UPDATE users SET name = 'later' WHERE id = 3").await;
    let refused = client.roll_back(&plan.id, false).await.unwrap();
    assert_eq!(
        (refused.state(), refused.reason.as_str()),
        (RestoreState::Applied, "ROWS_CHANGED"),
        "{refused:?}"
    );
    let done = client.roll_back(&plan.id, true).await.unwrap();
    assert_eq!((done.state(), done.reason.as_str()), (RestoreState::RolledBack, ""), "{done:?}");
    assert_eq!(users(&folder).await, CHANGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_keeps_what_is_there_and_adds_what_is_missing() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    run(&folder, CHANGE).await;
    let mut client = Restoring::of(&stored.service);
    let request = strongroom_api::backup::v1::PlanRestoreRequest {
        tables: vec!["users".into()],
        ..of_backup(&backup, RestoreMode::Merge)
    };
    let plan = client.planned(request).await;
    let applied = client.apply(&plan).await.unwrap();
    assert_eq!(applied.state(), RestoreState::Applied, "{applied:?}");
    assert_eq!(users(&folder).await, "1Eve,2a \"quoted\" name,3é,9new");
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_rows_come_back_and_no_others() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    run(&folder, "DELETE FROM users WHERE id < 3; UPDATE users SET name = 'kept' WHERE id = 3").await;
    let mut client = Restoring::of(&stored.service);
    let rows = |table: &str, keys: &[&str]| {
        vec![ChosenRows { table: table.into(), keys: keys.iter().map(|key| (*key).to_owned()).collect() }]
    };
    let request = |mode, table: &str, keys: &[&str]| proto::PlanRestoreRequest {
        rows: rows(table, keys),
        ..of_backup(&backup, mode)
    };
    let some = request(RestoreMode::Merge, "users", &["[\"2\"]", "[\"3\"]"]);
    let plan = client.planned(some).await;
    let tables = &plan.plan.as_ref().unwrap().sources[0].tables;
    assert_eq!(tables.len(), 1, "{tables:?}");
    let counts =
        [tables[0].rows, tables[0].created, tables[0].changed, tables[0].deleted, tables[0].conflicts];
    assert_eq!(counts, [2, 1, 0, 0, 1], "{tables:?}");
    assert_eq!(client.apply(&plan).await.unwrap().state(), RestoreState::Applied);
    assert_eq!(users(&folder).await, "2a \"quoted\" name,3kept");
    assert_eq!(client.roll_back(&plan.id, false).await.unwrap().state(), RestoreState::RolledBack);
    assert_eq!(users(&folder).await, "3kept");

    let none = request(RestoreMode::Merge, "users", &["[\"2\"]", "[\"77\"]"]);
    let refused = client.plan(none).await.unwrap();
    let refusals = &refused.plan.as_ref().unwrap().refusals;
    assert_eq!(refusals[0].reason, "ROWS_MISSING", "{refused:?}");
    assert!(
        refusals[0].message.contains("[\"77\"]") && !refusals[0].message.contains("[\"2\"]"),
        "{refused:?}"
    );
    let empty = client.plan(request(RestoreMode::IntoEmpty, "users", &["[\"77\"]"])).await.unwrap();
    assert_eq!(reasons(&empty), ["ROWS_MISSING", "TABLE_NOT_EMPTY"], "{empty:?}");
    let replace = client.plan(request(RestoreMode::Replace, "users", &["[\"2\"]"])).await.unwrap();
    assert_eq!(replace.plan.unwrap().refusals[0].reason, "PARTIAL_TABLE");
    for (table, keys, what) in [
        ("users", &["7"][..], "JSON array"),
        ("users", &["[]"][..], "JSON array"),
        ("users", &[][..], "at least one key"),
        ("", &["[\"1\"]"][..], "must have a table"),
        ("users", &["[\"1\",\"2\"]"][..], "consists of: id"),
        ("none", &["[\"1\"]"][..], "no table"),
    ] {
        let error = client.plan(request(RestoreMode::Merge, table, keys)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
        assert!(error.message().contains(what), "{}", error.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_restored_into_an_empty_database() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    run(&folder, "DELETE FROM users; DELETE FROM logs;").await;
    let mut client = Restoring::of(&stored.service);
    let plan = client.planned(of_backup(&backup, RestoreMode::IntoEmpty)).await;
    assert_eq!(plan.confirm, "");
    let applied = client.apply(&plan).await.unwrap();
    assert_eq!(applied.state(), RestoreState::Applied, "{applied:?}");
    assert_eq!(users(&folder).await, BEFORE);
    assert_eq!(applied.safety_backup_id, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_outlives_its_service_and_lapses_after_a_day() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    let clock = strongroom_testkit::ManualClock::at(1_790_000_000_000_000);
    let stored = stored.by_clock(std::sync::Arc::new(clock.clone())).await;
    run(&folder, CHANGE).await;
    let mut client = Restoring::of(&stored.service);
    let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    client.apply(&plan).await.unwrap();
    let unused = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    clock.advance(std::time::Duration::from_secs(25 * 3600));
    let stored = stored.restarted(|_| ()).await;
    let mut client = Restoring::of(&stored.service);
    let late =
        client.until(&plan.id, |restore| restore.steps.iter().any(|step| step.step == "removed")).await;
    assert_eq!((late.state(), late.rollback_expire_time), (RestoreState::Applied, None));
    assert!(ours(&folder).await.is_empty(), "{:?}", ours(&folder).await);
    let expired = client.roll_back(&plan.id, false).await.unwrap_err();
    assert_eq!(
        (expired.code(), reason_of(&expired).as_str()),
        (Code::FailedPrecondition, "ROLLBACK_EXPIRED")
    );
    assert!(expired.message().contains(&late.safety_backup_id), "{}", expired.message());
    let gone = client.get(&unused.id).await.unwrap_err();
    assert_eq!(reason_of(&gone), "RESTORE_NOT_FOUND");
    assert_eq!(users(&folder).await, BEFORE);
}
