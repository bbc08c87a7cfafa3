//! A database and all its sessions disappear in the middle of a restore of everything, and the database comes back
//! later. Before the first source is swapped, all sources end up old; afterwards all end up new.

use e2e::{eventually, long};
use strongroom_testkit::TestDb;

use super::together::Everything;
use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::is_settled;

/// The failpoint at which the service is stopped, the index of the database (1 and 3 are on PostgreSQL), and whether
/// all sources end up new. The order of the sources: four databases, the service, the files.
const PLACES: [(&str, usize, bool); 6] = [
    ("restore.staging#2", 1, false),
    ("restore.staging#4", 3, false),
    ("restore.staged#6", 3, true),
    ("restore.swapping#2", 1, true),
    ("restore.swapping#5", 1, true),
    ("restore.swapping#6", 3, true),
];

fn is_all_or_nothing((place, which, is_new): (&str, usize, bool), server: &TestDb) {
    let Some(mut all) = Everything::create() else { return };
    let replica = all.site.start(Some(&format!("stop:{place}")));
    let plan = replica.operator.json(&["restore", "plan", &all.backup, "--mode", "replace"]);
    let id = plan["id"].as_str().unwrap();
    let mut command = replica.spawn(&["restore", "apply", id, "--confirm", "dying"]);
    replica.wait_until_paused();
    all.site.targets[which].close(server);
    // The service is unavailable too when its turn comes.
    all.gateway.kill();
    replica.service.signal("CONT");
    let what = format!("{place} without database {which}");
    let said = eventually(&what, DECLARED, || {
        // Once all sources have been switched, the database is no longer queried.
        let restore = replica.get(id);
        let is_stuck = restore["problem"].as_str().is_some_and(|problem| !problem.is_empty());
        (is_stuck || is_settled(&restore)).then_some(restore)
    });
    all.site.targets[which].open(server);
    all.gateway.restart();
    let ended = eventually(&what, DECLARED, || Some(replica.get(id)).filter(is_settled));
    let state = if is_new { "RESTORE_STATE_APPLIED" } else { "RESTORE_STATE_FAILED" };
    assert_eq!(ended["state"], state, "{what}: {} {}", said["problem"], ended["problem"]);
    assert_eq!(all.are_restored(), [is_new; 6], "{what}: {}", ended["steps"]);
    assert_eq!(all.has_ours(), is_new, "{what}: {}", ended["steps"]);
    let _ = command.kill();
    let _ = command.wait();
}

#[test]
fn a_database_that_goes_and_comes_back_leaves_all_sources_old_or_makes_all_of_them_new() {
    let Some(server) = TestDb::postgres() else { return };
    for place in
        PLACES.into_iter().enumerate().filter(|(at, _)| long() || at % 2 == 1).map(|(_, place)| place)
    {
        is_all_or_nothing(place, &server);
    }
}
