//! A process that loses its database, or is suspended and declared dead, during a restore.

use e2e::eventually;
use strongroom_testkit::TestDb;

use super::databases::Target;
use super::restoring::DECLARED;
use super::site::{Site, is_settled};

/// The failpoint after the rows are swapped in.
const SWAPPED: &str = "restore.swapped";

const PLACES: [&str; 5] =
    ["restore.stage_begun", "restore.loaded", "restore.staged", "restore.swapping", SWAPPED];

fn check(place: &str, target: &Target, restore: &serde_json::Value) {
    let is_applied = place == SWAPPED;
    let state = if is_applied { "RESTORE_STATE_APPLIED" } else { "RESTORE_STATE_FAILED" };
    assert_eq!(restore["state"], state, "{place}: {restore}");
    assert_eq!(target.is_restored(), is_applied, "{place}: {restore}");
    assert_eq!(target.has_ours(), is_applied, "{place}: {restore}");
}

#[test]
fn a_restore_whose_sessions_end_is_old_or_new_and_another_one_works() {
    let Some(of_service) = TestDb::postgres() else { return };
    let site = Site::create(PLACES.len(), || TestDb::postgres().unwrap(), of_service.url_text());
    let backup = site.backed_up_and_changed();
    for (place, target) in PLACES.iter().zip(&site.targets) {
        let mut replica = site.start(Some(&format!("stop:{place}")));
        let (id, mut command) = replica.begins(&backup, target);
        replica.wait_until_paused();
        target.sever();
        replica.service.signal("CONT");
        eventually("the restore is settled", DECLARED, || is_settled(&replica.get(&id)).then_some(()));
        assert!(command.wait().unwrap().success() == (*place == SWAPPED), "{place}");
        check(place, target, &replica.get(&id));
        let again = replica.restores(&backup, target);
        assert_eq!(again["state"], "RESTORE_STATE_APPLIED", "after {place}: {again}");
        replica.service.kill();
    }
}

#[test]
fn a_process_that_was_suspended_does_not_swap_what_its_heir_has_settled() {
    let Some(of_service) = TestDb::postgres() else { return };
    let site = Site::create(PLACES.len(), || TestDb::postgres().unwrap(), of_service.url_text());
    let backup = site.backed_up_and_changed();
    let witness = site.start(None);
    let mut paused = Vec::new();
    for (place, target) in PLACES.iter().zip(&site.targets) {
        let replica = site.start(Some(&format!("stop:{place}")));
        let (id, command) = replica.begins(&backup, target);
        replica.wait_until_paused();
        paused.push((replica, id, command));
    }
    eventually("all of them are settled", DECLARED, || {
        paused.iter().all(|(_, id, _)| is_settled(&witness.get(id))).then_some(())
    });
    for (replica, _, _) in &paused {
        replica.service.signal("CONT");
        eventually("it serves again", DECLARED, || {
            replica.service.log().contains("this process serves again").then_some(())
        });
    }
    for ((place, target), (mut replica, id, mut command)) in PLACES.iter().zip(&site.targets).zip(paused) {
        check(place, target, &witness.get(&id));
        let _ = command.kill();
        let _ = command.wait();
        replica.service.kill();
    }
}
