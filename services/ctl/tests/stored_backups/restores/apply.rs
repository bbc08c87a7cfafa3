//! Operators apply a plan knowing what will be lost, and the restore continues without them.

use strongroom_api::backup::v1::{Restore, RestoreProgress, RestoreState};
use tonic::{Code, Status};

use super::fake::{Fake, ID, State};
use super::samples::{applied, restore, step};
use crate::fake::refusal;
use crate::operator::{at_a_terminal, ended, interrupt, run, strongroom, until};

const APPLY: [&str; 3] = ["restore", "apply", ID];
const CONFIRMED: [&str; 5] = ["restore", "apply", ID, "--confirm", "gateway"];

fn applying(rows: i64) -> Restore {
    let progress = RestoreProgress { phase: "stage".into(), rows, rows_total: 10, ..Default::default() };
    Restore { progress: Some(progress), ..restore(RestoreState::Applying) }
}

async fn planned(changes: Vec<Vec<Result<Restore, Status>>>) -> (Fake, String) {
    let restores = vec![restore(RestoreState::Planned)];
    Fake::serve(State { restores, changes: changes.into(), ..State::default() }).await
}

const DONE: &str = "\
id: 0198e0a1-0000-7000-8000-00000000000a
state: applied
archive: app-backup-2026-05-06-101422.zip.age
made: 2029-12-31T23:00:00Z
archive id: 0197e0a1-0000-7000-8000-00000000000b
mode: replace (the tables hold exactly the archive's rows afterwards)
sources: gateway
planned: 2030-01-01T00:00:00Z by token:t1
ended: 2030-01-01T00:00:30Z
writers waited: 40 ms
safety backup: 0197e0a1-0000-7000-8000-00000000000f

source gateway, as planned
TABLE      ROWS   CREATED  CHANGED  REMOVED  KEPT   CONFLICTS  NOTE
endpoints  1,010  10       1        3        999    0          -
users      7      0        0        0        7      0          -
in all     1,017  10       1        3        1,006  0          -

TIME                  SOURCE   STEP
2030-01-01T00:00:10Z  -        the safety backup was stored
2030-01-01T00:00:29Z  gateway  the difference was applied

result: the tables had exactly the archive's rows when the restore ended
next: `strongroom restore rollback 0198e0a1-0000-7000-8000-00000000000a` rolls it back, until 2030-01-02T01:00:00Z
next: after that, `strongroom restore plan 0197e0a1-0000-7000-8000-00000000000f --mode replace` plans a restore of the safety backup
";

#[tokio::test]
async fn a_restore_ends_with_what_was_done_and_how_it_is_taken_back() {
    let said = || vec![Ok(applying(1)), Ok(applying(9)), Ok(applied())];
    let (fake, url) = planned(vec![said(), said()]).await;
    let folder = tempfile::tempdir().unwrap();
    let done = run(&url, folder.path(), &[&CONFIRMED[..], &["--max-pause", "1500ms"]].concat()).await;
    assert_eq!((done.code, done.out.as_str(), done.said.as_str()), (0, DONE, ""));
    let request = fake.state().applied.clone().unwrap();
    assert_eq!((&*request.id, &*request.confirm), (ID, "gateway"));
    assert_eq!(request.max_pause, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
    let json = run(&url, folder.path(), &[&CONFIRMED[..], &["-o", "json"]].concat()).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["state"], &json["paused"]), (&"RESTORE_STATE_APPLIED".into(), &"0.040s".into()));
    assert_eq!(fake.state().applied.as_ref().unwrap().max_pause, None);
}

#[tokio::test]
async fn without_a_terminal_the_target_must_be_named() {
    let (fake, url) = planned(vec![vec![Ok(applied())]]).await;
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&url, folder.path(), &APPLY).await;
    assert_eq!(refused.code, 2);
    assert!(refused.said.contains("needs --confirm TARGET"), "{}", refused.said);
    assert!(fake.state().applied.is_none());
    // A plan that loses nothing needs no name.
    fake.state().restores[0].confirm.clear();
    let done = run(&url, folder.path(), &APPLY).await;
    assert_eq!(done.code, 0, "{}", done.said);
    assert_eq!(fake.state().asked.last().unwrap(), &format!("apply {ID} \"\""));
}

#[tokio::test]
async fn at_a_terminal_it_shows_what_will_be_lost_and_asks_for_the_name() {
    let (fake, url) = planned(vec![vec![Ok(applied())]]).await;
    let folder = tempfile::tempdir().unwrap();
    for no in ["yes", "gatewa", ""] {
        let kept = at_a_terminal(&url, folder.path(), no, &APPLY).await;
        assert!(kept.code == 1 && kept.said.contains("nothing was changed"), "{no:?}: {}", kept.said);
        assert!(fake.state().applied.is_none());
    }
    let done = at_a_terminal(&url, folder.path(), "gateway", &APPLY).await;
    assert_eq!(done.code, 0, "{}", done.said);
    for shown in ["REMOVED", "1,010  10", "are gone afterwards", "stored first", "type gateway to restore it"]
    {
        assert!(done.said.contains(shown), "{shown} is not in {}", done.said);
    }
    assert_eq!(fake.state().applied.as_ref().unwrap().confirm, "gateway");
}

#[tokio::test]
async fn a_restore_that_failed_says_why_and_what_is_there() {
    let failed = Restore {
        reason: "SAFETY_BACKUP_FAILED".into(),
        problem: "the destination is full.".into(),
        steps: vec![step("gateway", "removed", 20)],
        ..restore(RestoreState::Failed)
    };
    let (_fake, url) = planned(vec![vec![Ok(applying(1)), Ok(failed)]]).await;
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&url, folder.path(), &CONFIRMED).await;
    assert_eq!(ended.code, 1);
    let why = "the destination is full [SAFETY_BACKUP_FAILED]";
    let said = format!("the restore failed, and every row is as it was: {why}");
    assert!(ended.said.contains(&said), "{}", ended.said);
    for shown in [&*format!("problem: {why}\n"), "result: every row is as it was", "next: remove the cause"] {
        assert!(ended.out.contains(shown), "{shown} is not in {}", ended.out);
    }
}

#[tokio::test]
async fn a_refusal_is_the_service_s_sentence_and_is_not_repeated() {
    let stale = refusal(Code::FailedPrecondition, "PLAN_STALE", "the table users has another column now");
    let (fake, url) = planned(vec![vec![Err(stale)]]).await;
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&url, folder.path(), &CONFIRMED).await;
    assert!(
        refused.code == 1 && refused.said.contains("another column now [PLAN_STALE]"),
        "{}",
        refused.said
    );
    assert_eq!(fake.state().asked, [format!("get {ID}"), format!("apply {ID} \"gateway\"")]);
}

#[tokio::test]
async fn a_broken_connection_falls_back_to_polling() {
    let broken = || Err(Status::unavailable("the service stops"));
    let (fake, url) = planned(vec![vec![Ok(applying(1)), broken()]]).await;
    fake.state().gets = [Ok(restore(RestoreState::Planned)), broken(), Ok(applying(5)), Ok(applied())].into();
    let folder = tempfile::tempdir().unwrap();
    let done = run(&url, folder.path(), &CONFIRMED).await;
    assert_eq!((done.code, done.out.as_str()), (0, DONE), "{}", done.said);
    assert_eq!(fake.state().asked.len(), 5);
}

#[tokio::test]
async fn a_restore_that_ended_while_nobody_watched_is_reported_as_ended() {
    let broken = || Err(Status::unavailable("the service stops"));
    let planned_yet = vec![Ok(restore(RestoreState::Planned)), broken()];
    let (fake, url) = planned(vec![vec![broken()], planned_yet]).await;
    let folder = tempfile::tempdir().unwrap();
    for gets in [2, 1] {
        let before = Ok(restore(RestoreState::Planned));
        fake.state().gets = std::iter::once(before).chain((0..gets).map(|_| Ok(applied()))).collect();
        let done = run(&url, folder.path(), &CONFIRMED).await;
        assert_eq!((done.code, done.out.as_str()), (0, DONE), "{}", done.said);
    }
}

#[tokio::test]
async fn a_restore_that_has_not_begun_is_not_called_running() {
    let broken = || vec![Err(Status::unavailable("the service stops"))];
    let (fake, url) = planned(vec![broken(), broken()]).await;
    let folder = tempfile::tempdir().unwrap();
    let not_begun = run(&url, folder.path(), &CONFIRMED).await;
    assert_eq!(not_begun.code, 4);
    assert!(not_begun.said.contains("it had not begun"), "{}", not_begun.said);
    let before = Ok(restore(RestoreState::Planned));
    fake.state().gets = std::iter::once(before).chain(broken()).collect();
    let unknown = run(&url, folder.path(), &CONFIRMED).await;
    assert_eq!(unknown.code, 4);
    let advice = format!("whether it has begun is not known; `strongroom restore get {ID}` shows its state");
    assert!(unknown.said.contains(&advice), "{}", unknown.said);
}

#[tokio::test]
async fn ctrl_c_ends_the_waiting_and_says_that_the_restore_goes_on() {
    let (fake, url) = planned(Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let child = strongroom(&url, folder.path(), &CONFIRMED).spawn().unwrap();
    until(|| fake.state().asked.len() == 2).await;
    interrupt(&child).await;
    let interrupted = ended(child).await;
    assert_eq!(interrupted.code, 1);
    let advice = format!("the restore continues; `strongroom restore get {ID}`");
    assert!(interrupted.said.contains(&advice), "{}", interrupted.said);
}
