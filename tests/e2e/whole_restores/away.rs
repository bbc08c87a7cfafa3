//! A source stays unavailable after another one was swapped: the restore reports that, and continues by itself when the
//! source is back, or is rolled back on request.

use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;

use e2e::eventually;
use serde_json::Value;

use super::places::POSTPONED;
use super::together::Everything;
use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::Replica;

/// When this failpoint is reached, all sources of a restore except the service have been swapped.
const LAST_SWAP: &str = "restore.swapping#3";

fn until(replica: &Replica, id: &str, state: &str) -> Value {
    eventually(state, DECLARED + Duration::from_secs(30), || {
        let restore = replica.get(id);
        (restore["state"] == state).then_some(restore)
    })
}

/// Restores two databases and the service, which is unavailable when its turn comes.
fn half_applied(all: &mut Everything) -> (Replica, String) {
    let replica = all.site.start(Some(&format!("stop:{LAST_SWAP}")));
    let id = replica.plan_of(&all.backup, "s0,s1,gateway");
    let mut command = replica.spawn(&["restore", "apply", &id, "--confirm", "dying"]);
    replica.wait_until_paused();
    all.gateway.kill();
    replica.service.signal("CONT");
    let waiting = until(&replica, &id, "RESTORE_STATE_RESUMABLE");
    assert_eq!(waiting["reason"], "SOURCE_UNAVAILABLE", "{waiting}");
    assert!(waiting["problem"].as_str().unwrap().contains("gateway"), "{waiting}");
    assert!(all.site.targets[0].is_restored() && all.site.targets[1].is_restored(), "{waiting}");
    let said = replica.operator.run(&["restore", "get", &id]).succeeded().text();
    for line in ["s0: already the archive's", "s1: already the archive's", "gateway: "] {
        assert!(said.contains(line), "{said}");
    }
    let _ = command.kill();
    let _ = command.wait();
    (replica, id)
}

/// Starts a rollback; returns the command once the rollback has begun.
fn going_back(replica: &Replica, id: &str) -> Child {
    let command = replica.spawn(&["restore", "rollback", id, "--yes"]);
    eventually("it goes back", DECLARED, || {
        let restore = replica.get(id);
        let mut steps = restore["steps"].as_array().unwrap().iter();
        let is_going_back = steps.any(|step| step["step"] == "rolling-back");
        (is_going_back || restore["state"] == "RESTORE_STATE_ROLLING_BACK").then_some(())
    });
    command
}

#[test]
fn a_restore_goes_on_when_the_source_is_back() {
    let Some(mut all) = Everything::create() else { return };
    let (replica, id) = half_applied(&mut all);
    let kept = replica.operator.run(&["backup", "delete", &all.backup, "--yes"]);
    assert!(kept.code == Some(1) && kept.said().contains("[BACKUP_NEEDED]"), "{}", kept.said());
    let other = replica.restores(&all.backup, &all.site.targets[2]);
    assert_eq!(other["state"], "RESTORE_STATE_APPLIED", "waiting restores block no other: {other}");
    let _ =
        replica.operator.run(&["restore", "rollback", other["id"].as_str().unwrap(), "--yes"]).succeeded();
    all.gateway.restart();
    let applied = until(&replica, &id, "RESTORE_STATE_APPLIED");
    assert_eq!(all.are_restored(), [true, true, false, false, false, true], "{applied}");
    let events = replica.operator.events("restore.completed");
    assert_eq!(events[0]["outcome"], "AUDIT_OUTCOME_SUCCESS", "{events:?}");
    let _ = replica.operator.run(&["restore", "rollback", &id, "--yes"]).succeeded();
    assert_eq!(all.are_restored(), [false; 6]);
    assert!(!all.has_ours());
}

/// A service that accepts calls and does not answer makes an attempt last long.
#[test]
fn a_restore_is_taken_back_in_the_middle_of_an_attempt() {
    let Some(mut all) = Everything::create() else { return };
    let (replica, id) = half_applied(&mut all);
    let silent = TcpListener::bind(all.gateway.address()).unwrap();
    eventually("an attempt goes on", DECLARED, || {
        (replica.get(&id)["state"] == "RESTORE_STATE_APPLYING").then_some(())
    });
    let mut command = going_back(&replica, &id);
    drop(silent);
    all.gateway.restart();
    until(&replica, &id, "RESTORE_STATE_ROLLED_BACK");
    assert_eq!(all.are_restored(), [false; 6]);
    assert!(!all.has_ours());
    assert!(command.wait().unwrap().success());
}

#[test]
fn a_restore_that_waits_outlives_its_process() {
    let Some(mut all) = Everything::create() else { return };
    let (mut replica, id) = half_applied(&mut all);
    replica.service.kill();
    // Its successor postpones the restore too, and dies there; the next one completes it.
    all.site.start(Some(POSTPONED)).wait_until_dead();
    all.gateway.restart();
    let replica = all.site.start(None);
    until(&replica, &id, "RESTORE_STATE_APPLIED");
    assert_eq!(all.are_restored(), [true, true, false, false, false, true]);
}

/// A rollback was requested and abandoned before the attempt ended.
#[test]
fn an_attempt_that_was_to_end_is_followed_by_another() {
    for is_going_back in [false, true] {
        let Some(mut all) = Everything::create() else { return };
        let (mut replica, id) = half_applied(&mut all);
        if is_going_back {
            let mut command = going_back(&replica, &id);
            let _ = command.kill();
            let _ = command.wait();
        }
        replica.service.kill();
        let state = if is_going_back { "rolling-back" } else { "applying" };
        all.database.run(&format!(
            "UPDATE restores SET state = '{state}', \
             journal = json_set(journal, '$.is_wanted_back', json('true')) WHERE id = '{id}'"
        ));
        all.gateway.restart();
        let replica = all.site.start(None);
        until(
            &replica,
            &id,
            if is_going_back { "RESTORE_STATE_ROLLED_BACK" } else { "RESTORE_STATE_APPLIED" },
        );
    }
}

#[test]
fn a_restore_that_waits_can_be_taken_back() {
    let Some(mut all) = Everything::create() else { return };
    let (replica, id) = half_applied(&mut all);
    let mut command = going_back(&replica, &id);
    all.gateway.restart();
    until(&replica, &id, "RESTORE_STATE_ROLLED_BACK");
    assert_eq!(all.are_restored(), [false; 6]);
    assert!(!all.has_ours());
    assert!(command.wait().unwrap().success());
}
