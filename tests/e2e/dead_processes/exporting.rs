//! If a process dies during an export, a surviving or later process closes the export in the audit log.

use std::time::Duration;

use e2e::{PATIENCE, eventually, start_unread};

use super::replica::{DECLARED, Replica, Start};
use super::site::Site;

fn dies_in_the_middle(site: &Site, replica: &mut Replica, app: &str) {
    let export = ["backup", "export", "--plain", "--include", "big", "--out", "-"];
    let client = start_unread(&mut replica.operator.command(&export));
    eventually("the export has begun", PATIENCE, || {
        (site.count("backup.export_started", app) == 1).then_some(())
    });
    replica.service.kill();
    let _ = client.finish(Duration::from_secs(30)).failed_with(4);
    assert_eq!(site.count("backup.exported", app), 0, "nobody could tell yet");
}

fn is_closed_soon(site: &Site, app: &str) {
    eventually("the export is closed", DECLARED, || (site.count("backup.exported", app) == 1).then_some(()));
    let end = &site.admin().events("backup.exported")[0];
    assert_eq!(end["outcome"], "AUDIT_OUTCOME_UNKNOWN", "{end}");
}

#[test]
fn an_export_whose_process_died_is_closed_by_another_process_or_the_next() {
    let site = Site::create();
    let database = format!("sqlite:{}", site.path("exporting.db").display());
    let start = |app| {
        let database = database.as_str();
        Start { site: &site, app, database, destinations: "", delete_delay_hours: 1, failpoint: None }.start()
    };
    let witness = start("witness");
    dies_in_the_middle(&site, &mut start("first"), "first");
    is_closed_soon(&site, "first");
    drop(witness);
    dies_in_the_middle(&site, &mut start("second"), "second");
    let _next = start("next");
    is_closed_soon(&site, "second");
}
