//! The backup service dies in the restore of a vault and a database, and so does its successor.

use e2e::long;
use strongroom_testkit::TestDb;

use super::places::{OF_HEIRS, OF_SERVICE, Place};
use super::scene::{Scene, applied, command, tried};

/// Restores or rolls back until the process dies at `place`; returns the restore's id.
fn begin(scene: &Scene, place: &Place) -> String {
    let mut replica = scene.site.start(Some(place.name));
    let id = scene.plan(&replica);
    if place.rolls_back {
        applied(&replica.operator, &id);
    }
    replica.dies_during(&command(place, &id));
    id
}

fn dies(scene: &Scene, places: &[Place]) {
    for place in places {
        let id = begin(scene, place);
        let mut replica = scene.site.start(None);
        scene.ends(place.name, &replica, (&id, place.fate));
        replica.service.kill();
    }
}

fn heirs_die(scene: &Scene) {
    for (first, second, fate) in OF_HEIRS {
        let rolls_back = first.starts_with("rollback.");
        let id = begin(scene, &Place { name: first, fate, rolls_back, is_short: false });
        scene.site.start(Some(second)).wait_until_dead();
        let mut replica = scene.site.start(None);
        scene.ends(second, &replica, (&id, fate));
        replica.service.kill();
    }
}

fn each(database: impl Fn() -> TestDb) {
    let scene = Scene::create(database);
    dies(&scene, &tried(&OF_SERVICE));
    if long() {
        heirs_die(&scene);
    }
}

#[test]
fn a_vault_on_sqlite_is_old_or_new_wherever_the_backup_service_dies() {
    each(TestDb::sqlite);
}

/// Only in the long form.
#[test]
fn a_vault_on_postgres_is_old_or_new_wherever_the_backup_service_dies() {
    let Some(first) = TestDb::postgres().filter(|_| long()) else { return };
    drop(first);
    each(|| TestDb::postgres().unwrap());
}
