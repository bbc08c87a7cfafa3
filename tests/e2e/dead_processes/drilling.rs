//! Processes that die while they drill a backup: the scratch database is removed, and the drill ends with its
//! findings, or as not done.

use std::path::Path;
use std::time::Duration;

use e2e::eventually;
use strongroom_testkit::TestDb;

use super::creating::app_of;
use super::places::DRILLING;
use super::replica::{DECLARED, Start, files_in};
use super::site::Site;

/// Two checks for leftovers of drills.
const SWEPT: Duration = Duration::from_secs(45);

/// A process dies at `place`; its successor may have another folder for scratch databases.
fn dies_at(site: &Site, (place, state, reason): (&str, &str, &str), has_moved: bool) {
    let app = app_of(&if has_moved { format!("{place}.moved") } else { place.to_owned() });
    let folders = ["backups", "scratch", "other"].map(|name| site.new_folder(&format!("{app}-{name}")));
    let [backups, scratch, other] = folders;
    let shop = TestDb::sqlite();
    shop.run("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    let database = format!("sqlite:{}", site.path(&format!("{app}.db")).display());
    let rest = |scratch: &Path| {
        format!(
            "{}\n[[sources]]\nname = \"shop\"\nkind = \"sqlite\"\nurl = \"{}\"\n\n[drill]\nscratch_dir = \"{}\"\n",
            Site::destination(&backups),
            shop.url_text(),
            scratch.display()
        )
    };
    let start = |scratch, failpoint| {
        let (destinations, delete_delay_hours) = (rest(scratch), 1);
        let (app, database, destinations) = (app.as_str(), database.as_str(), destinations.as_str());
        Start { site, app, database, destinations, delete_delay_hours, failpoint }.start()
    };
    let mut replica = start(&scratch, Some(place));
    let _ = replica.makes_a_backup();
    let _ = replica.operator.run(&["drill", "run", "--no-wait"]);
    replica.wait_until_dead();

    let successor = start(if has_moved { &other } else { &scratch }, None);
    eventually(&format!("the drill of {place} ends"), DECLARED, || {
        let drills = successor.operator.json(&["drill", "list"]);
        let [drill] = drills.as_array().unwrap().as_slice() else { panic!("{place}: {drills}") };
        (drill["state"] != "DRILL_STATE_RUNNING").then_some(())
    });
    let drill = successor.operator.json(&["drill", "list"])[0].clone();
    assert_eq!(drill["state"], state, "{place}: {drill}");
    assert_eq!(drill["reason"].as_str().unwrap_or_default(), reason, "{place}: {drill}");
    let whole = successor.operator.json(&["drill", "get", drill["id"].as_str().unwrap()]);
    assert_eq!(whole["checks"].as_array().is_none_or(Vec::is_empty), reason == "PROCESS_DIED", "{whole}");
    if has_moved {
        eventually("what is elsewhere is swept", SWEPT, || files_in(&scratch).is_empty().then_some(()));
    }
    assert_eq!(files_in(&scratch), [""; 0], "{place}: nothing is left");
    assert_eq!(site.count("backup.drilled", &app), 1, "{place}");
    let again = successor.operator.json(&["drill", "run"]);
    assert_eq!(again["state"], "DRILL_STATE_PASSED", "{place}: {again}");
}

#[test]
fn a_drill_whose_process_died_is_ended_and_nothing_of_it_is_left() {
    let site = Site::create();
    std::thread::scope(|scope| {
        for place in DRILLING {
            let site = &site;
            scope.spawn(move || dies_at(site, place, false));
        }
        scope.spawn(|| dies_at(&site, DRILLING[1], true));
    });
}
