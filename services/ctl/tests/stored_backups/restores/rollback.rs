//! A restore is rolled back, but not by accident.

use strongroom_api::backup::v1::{Restore, RestoreState};
use tonic::{Code, Status};

use super::fake::{Fake, ID, State};
use super::samples::{applied, restore, step};
use crate::fake::refusal;
use crate::operator::{at_a_terminal, run};

const ROLLBACK: [&str; 3] = ["restore", "rollback", ID];

fn with(options: &[&'static str]) -> Vec<&'static str> {
    [&ROLLBACK[..], options].concat()
}

fn rolled_back() -> Restore {
    let steps = vec![step("gateway", "swapped", 29), step("gateway", "rolled-back", 60)];
    Restore { steps, ..restore(RestoreState::RolledBack) }
}

async fn one(changes: Vec<Vec<Result<Restore, Status>>>) -> (Fake, String) {
    let state = State { restores: vec![applied()], changes: changes.into(), ..State::default() };
    Fake::serve(state).await
}

#[tokio::test]
async fn without_a_terminal_it_needs_yes() {
    let busy = restore(RestoreState::RollingBack);
    let (fake, url) = one(vec![vec![Ok(busy), Ok(rolled_back())]]).await;
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&url, folder.path(), &ROLLBACK).await;
    assert!(refused.code == 2 && refused.said.contains("needs --yes"), "{}", refused.said);
    assert!(fake.state().asked.is_empty());
    let done = run(&url, folder.path(), &with(&["--yes"])).await;
    assert_eq!(done.code, 0, "{}", done.said);
    for shown in [
        "state: rolled back\n",
        "result: the rows from before the restore are back\n",
        "it was rolled back\n",
    ] {
        assert!(done.out.contains(shown), "{shown} is not in {}", done.out);
    }
    assert!(!done.out.contains("next: "), "{}", done.out);
    assert_eq!(fake.state().asked, [format!("get {ID}"), format!("rollback {ID} false")]);
}

#[tokio::test]
async fn at_a_terminal_it_shows_what_will_be_lost_and_asks() {
    let (fake, url) = one(vec![vec![Ok(rolled_back())]]).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = at_a_terminal(&url, folder.path(), "no", &ROLLBACK).await;
    assert!(kept.code == 1 && kept.said.contains("if rows were changed"), "{}", kept.said);
    let done = at_a_terminal(&url, folder.path(), "yes", &with(&["--discard-changes"])).await;
    assert_eq!(done.code, 0, "{}", done.said);
    for shown in [
        "state: applied",
        "return to their state before it",
        "lose those changes",
        "type yes to roll it back",
    ] {
        assert!(done.said.contains(shown), "{shown} is not in {}", done.said);
    }
    assert_eq!(fake.state().asked.last().unwrap(), &format!("rollback {ID} true"));
}

#[tokio::test]
async fn a_rollback_that_was_not_done_is_no_success() {
    let changed = refusal(Code::FailedPrecondition, "ROWS_CHANGED", "3 rows of users were changed since");
    let kept = Restore { problem: "the disk is full".into(), reason: "DISK".into(), ..applied() };
    let (_fake, url) = one(vec![vec![Err(changed)], vec![Ok(kept)]]).await;
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&url, folder.path(), &with(&["--yes"])).await;
    assert!(refused.code == 1 && refused.said.contains("changed since [ROWS_CHANGED]"), "{}", refused.said);
    let failed = run(&url, folder.path(), &with(&["--yes"])).await;
    assert_eq!(failed.code, 1);
    assert!(failed.said.contains("are still there: the disk is full [DISK]"), "{}", failed.said);
}
