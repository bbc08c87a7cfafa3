//! A process that is suspended, declared dead, and then resumed: its later writes change nothing.

use e2e::eventually;
use strongroom_testkit::TestDb;

use super::creating::app_of;
use super::replica::{DECLARED, Replica, Start, holds_only};
use super::site::Site;

/// Failpoints before each write of the upload, and before the last write to the catalogue.
const PLACES: [&str; 6] = [
    "create.started",
    "create.before_upload_id",
    "create.part#2",
    "create.before_complete",
    "create.after_complete",
    "create.before_commit",
];

#[test]
fn a_process_that_was_suspended_leaves_nothing_that_counts_and_makes_the_next_backup() {
    // A process suspended during a write to SQLite would lock out all others; replicas share a PostgreSQL server.
    let Some(database) = TestDb::postgres() else { return };
    let site = Site::create();
    let folder = site.new_folder("pausing");
    let destinations = Site::destination(&folder);
    let start = |app: &str, failpoint: Option<&str>| {
        let database = database.url_text();
        Start { site: &site, app, database, destinations: &destinations, delete_delay_hours: 1, failpoint }
            .start()
    };
    let witness = start("witness", None);
    let paused: Vec<(String, Replica)> = PLACES
        .iter()
        .map(|place| {
            let app = app_of(place);
            let replica = start(&app, Some(&format!("stop:{place}")));
            replica.begin_backup(true);
            replica.wait_until_paused();
            (app, replica)
        })
        .collect();
    let has_failed = |app: &str| {
        let backups = witness.backups_of(app);
        backups.len() == 1
            && backups[0]["reason"] == "PROCESS_DIED"
            && backups[0]["copies"][0]["state"] == "BACKUP_COPY_STATE_FAILED"
    };
    eventually("all of them have failed", DECLARED, || {
        paused.iter().all(|(app, _)| has_failed(app)).then_some(())
    });
    let mut stored = Vec::new();
    for (app, replica) in &paused {
        replica.service.signal("CONT");
        eventually("it serves again", DECLARED, || {
            replica.service.log().contains("this process serves again").then_some(())
        });
        stored.push(replica.backup(&replica.makes_a_backup()));
        eventually("its first backup is as failed as before", DECLARED, || {
            let of_app = witness.backups_of(app);
            let failed = of_app.iter().filter(|backup| {
                backup["state"] == "BACKUP_STATE_FAILED"
                    && backup["copies"][0]["state"] == "BACKUP_COPY_STATE_FAILED"
            });
            (failed.count() == 1).then_some(())
        });
        assert_eq!(site.count("backup.created", app), 2, "{app}: one end of each");
    }
    holds_only(&folder, &stored);
    witness.scans(stored.len());
    for backup in &stored {
        assert!(!site.pins(backup["id"].as_str().unwrap()).is_empty());
    }
}
