//! Processes die in restores of several sources, one after another; their successors, some of which die too, complete
//! each restore.

use e2e::{eventually, long};
use serde_json::Value;
use strongroom_testkit::TestDb;

use super::places::{BACK, FORWARD, Fate, PLACES, Place};
use super::platform::{Files, Platform};
use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::{Replica, Site, is_settled};

fn begin(replica: &mut Replica, backup: &str, platform: &Platform<'_>, place: &Place) -> String {
    let id = replica.plan_of(backup, &platform.sources());
    // The application's name is the confirmation.
    let apply = ["restore", "apply", &id, "--confirm", "dying"];
    if place.rolls_back {
        let _ = replica.operator.run(&apply).succeeded();
        replica.dies_during(&["restore", "rollback", &id, "--yes"]);
    } else {
        replica.dies_during(&apply);
    }
    id
}

fn check(place: &Place, platform: &Platform<'_>, restore: &Value) {
    let name = place.name;
    let (state, is_new) = match place.fate {
        Fate::Old => ("RESTORE_STATE_FAILED", false),
        Fate::New => ("RESTORE_STATE_APPLIED", true),
        Fate::Back => ("RESTORE_STATE_ROLLED_BACK", false),
    };
    assert_eq!(restore["state"], state, "{name}: {restore}");
    assert_eq!(platform.are_restored(), [is_new; 3], "{name}: {restore}");
    assert_eq!(platform.have_ours(), [is_new; 3], "{name}: {restore}");
}

/// In the short form every second failpoint and all those within a set of files; in the long form all of them.
fn places() -> Vec<Place> {
    let is_tried = |(at, place): &(usize, Place)| long() || at % 2 == 0 || place.name.starts_with("files.");
    PLACES.into_iter().enumerate().filter(is_tried).map(|(_, place)| place).collect()
}

fn goes_on(database: impl Fn() -> TestDb) {
    let places = places();
    let mut site = Site::create(2 * places.len(), database, "");
    let mut files: Vec<Files> = (0..places.len()).map(|at| Files::create(&format!("f{at}"))).collect();
    site.sources = files.iter().map(Files::configuration).collect();
    let backup = site.backed_up_and_changed();
    files.iter_mut().for_each(Files::change);
    let platforms: Vec<Platform<'_>> =
        site.targets.chunks(2).zip(&files).map(|(databases, files)| Platform { databases, files }).collect();
    let mut restores = Vec::new();
    for (place, platform) in places.iter().zip(&platforms) {
        let mut replica = site.start(Some(place.name));
        restores.push(begin(&mut replica, &backup, platform, place));
    }
    for place in FORWARD.iter().chain(&[BACK]) {
        site.start(Some(place)).wait_until_dead();
    }
    let replica = site.start(None);
    eventually("every restore is settled", DECLARED, || {
        restores.iter().all(|id| is_settled(&replica.get(id))).then_some(())
    });
    for ((place, platform), id) in places.iter().zip(&platforms).zip(&restores) {
        check(place, platform, &replica.get(id));
        let id = replica.plan_of(&backup, &platform.sources());
        let again = replica.operator.json(&["restore", "apply", &id, "--confirm", "dying"]);
        assert_eq!(again["state"], "RESTORE_STATE_APPLIED", "after {}: {again}", place.name);
        assert_eq!(platform.are_restored(), [true; 3], "after {}", place.name);
    }
}

#[test]
fn sqlite_and_files_are_old_or_new_together_wherever_a_process_dies() {
    goes_on(TestDb::sqlite);
}

/// Only in the long form: the other tests of whole restores use PostgreSQL too, and those of single databases test
/// every failpoint on it.
#[test]
fn postgres_and_files_are_old_or_new_together_wherever_a_process_dies() {
    let Some(first) = TestDb::postgres().filter(|_| long()) else { return };
    drop(first);
    goes_on(|| TestDb::postgres().unwrap());
}
