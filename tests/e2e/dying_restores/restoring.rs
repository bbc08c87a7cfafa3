//! Several processes die in sequence, each in the restore of another database; their successor settles all restores.

use std::time::Duration;

use e2e::{Operator, eventually};
use serde_json::Value;
use strongroom_testkit::TestDb;

use super::databases::Target;
use super::places::{Fate, Place, RESTORING, SETTLING};
use super::site::{Site, is_settled};

/// Two heartbeats until a process is declared dead, and extra time for a machine under load.
pub(crate) const DECLARED: Duration = Duration::from_secs(10 + 30);

fn state(fate: Fate) -> &'static str {
    match fate {
        Fate::Failed => "RESTORE_STATE_FAILED",
        Fate::Applied => "RESTORE_STATE_APPLIED",
        Fate::RolledBack => "RESTORE_STATE_ROLLED_BACK",
    }
}

fn check(place: &Place, target: &Target, restore: &Value) {
    let name = place.name;
    assert_eq!(restore["state"], state(place.fate), "{name}: {restore}");
    assert_eq!(target.is_restored(), place.fate == Fate::Applied, "{name}: {restore}");
    assert_eq!(target.has_ours(), place.fate == Fate::Applied, "{name}");
    if place.fate == Fate::Failed {
        assert_eq!(restore["reason"], "PROCESS_DIED", "{name}: {restore}");
        assert!(restore["problem"].as_str().unwrap().contains("plan the restore again"), "{name}: {restore}");
    }
}

fn settles(database: impl Fn() -> TestDb) {
    let site = Site::create(RESTORING.len(), database, "");
    let backup = site.backed_up_and_changed();
    let mut restores = Vec::new();
    for (place, target) in RESTORING.iter().zip(&site.targets) {
        restores.push(site.start(Some(place.name)).dies(&backup, target, place.rolls_back));
    }
    // The first successor dies too, once it has settled one restore.
    site.start(Some(SETTLING)).wait_until_dead();
    let replica = site.start(None);
    eventually("every restore is settled", DECLARED, || {
        restores.iter().all(|id| is_settled(&replica.get(id))).then_some(())
    });
    for ((place, target), id) in RESTORING.iter().zip(&site.targets).zip(&restores) {
        check(place, target, &replica.get(id));
        let again = replica.restores(&backup, target);
        assert_eq!(again["state"], "RESTORE_STATE_APPLIED", "after {}: {again}", place.name);
        assert!(target.is_restored(), "after {}", place.name);
    }
    nothing_is_open(&site.deployment.admin, restores.len());
}

/// Every start event in the audit log has an end event.
fn nothing_is_open(admin: &Operator, at_least: usize) {
    for (started, ended) in
        [("restore.started", "restore.completed"), ("restore.rollback_started", "restore.rolled_back")]
    {
        let ids = |name: &str| {
            let events = admin.events(name);
            let mut ids: Vec<String> = events
                .iter()
                .map(|event| event["metadata"]["operation_id"].as_str().unwrap_or_default().to_owned())
                .collect();
            ids.sort();
            ids
        };
        let (began, over) = (ids(started), ids(ended));
        assert_eq!(began.len(), over.len(), "{started}: {began:?} {over:?}");
        assert!(started != "restore.started" || began.len() >= at_least, "{began:?}");
    }
}

#[test]
fn sqlite_is_old_or_new_wherever_a_process_dies() {
    settles(TestDb::sqlite);
}

#[test]
fn postgres_is_old_or_new_wherever_a_process_dies() {
    let Some(first) = TestDb::postgres() else { return };
    drop(first);
    settles(|| TestDb::postgres().unwrap());
}
