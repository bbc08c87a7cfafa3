//! The vault dies in the restore of itself and a database; once it is back, the backup service continues without help.

use std::os::unix::process::ExitStatusExt as _;

use e2e::long;
use strongroom_testkit::TestDb;

use super::places::{DROPPING, Fate, OF_VAULT, Place};
use super::scene::{Scene, applied, apply, command, tried};

/// Waits until the vault has killed itself, and restarts it.
fn revive(scene: &mut Scene, place: &str) {
    let deployment = &mut scene.site.deployment;
    let ended = deployment.vault.wait_until_ended();
    assert_eq!(ended.signal(), Some(9), "{place}: {ended}\n{}", deployment.vault.log());
    deployment.restart_vault();
}

fn dies(scene: &mut Scene, places: &[Place]) {
    let mut replica = scene.site.start(None);
    for place in places {
        let id = scene.plan(&replica);
        if place.rolls_back {
            applied(&replica.operator, &id);
        }
        scene.site.deployment.restart_vault_to_die(Some(place.name));
        let mut running = replica.spawn(&command(place, &id));
        revive(scene, place.name);
        scene.ends(place.name, &replica, (&id, place.fate));
        let _ = running.kill();
        let _ = running.wait();
    }
    replica.service.kill();
}

/// Both die: the backup service before the swap, and the vault when the successor drops the stage.
fn dies_while_it_drops(scene: &mut Scene) {
    for place in DROPPING {
        let mut replica = scene.site.start(Some("restore.swapping"));
        let id = scene.plan(&replica);
        replica.dies_during(&apply(&id));
        scene.site.deployment.restart_vault_to_die(Some(place));
        let mut heir = scene.site.begin(None);
        revive(scene, place);
        scene.ends(place, &heir, (&id, Fate::Old));
        heir.service.kill();
    }
}

fn each(database: impl Fn() -> TestDb) {
    let mut scene = Scene::create(database);
    dies(&mut scene, &tried(&OF_VAULT));
    if long() {
        dies_while_it_drops(&mut scene);
    }
}

#[test]
fn a_vault_on_sqlite_is_old_or_new_wherever_it_dies() {
    each(TestDb::sqlite);
}

/// Only in the long form: PostgreSQL rolls back the transactions of a dead vault by itself, in restores as in all other
/// calls.
#[test]
fn a_vault_on_postgres_is_old_or_new_wherever_it_dies() {
    let Some(first) = TestDb::postgres().filter(|_| long()) else { return };
    drop(first);
    each(|| TestDb::postgres().unwrap());
}
