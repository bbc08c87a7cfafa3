//! A process that dies while it deletes a backup, a destination that refuses the deletion, and an undeletion.

use std::path::Path;

use e2e::{PATIENCE, eventually};
use serde_json::Value;

use super::places::PURGING;
use super::replica::{DECLARED, Replica, Start, holds_only};
use super::site::Site;

fn start(site: &Site, folder: &Path, delete_delay_hours: u32) -> Replica {
    let mut replica = begin(site, folder, delete_delay_hours, None);
    replica.wait_until_serving();
    replica
}

/// Starts a process without waiting for it, because it may die first.
fn begin(site: &Site, folder: &Path, delete_delay_hours: u32, failpoint: Option<&str>) -> Replica {
    let database = format!("sqlite:{}", site.path("purging.db").display());
    let destinations = Site::destination(folder);
    let (app, database) = ("purging", database.as_str());
    Start { site, app, database, destinations: &destinations, delete_delay_hours, failpoint }.begin()
}

fn delete(replica: &Replica, id: &str) {
    let _ = replica.operator.run(&["backup", "delete", id, "--yes"]);
}

fn is_gone(replica: &Replica, id: &str) -> bool {
    let answer = replica.operator.run(&["backup", "get", id]);
    answer.code != Some(0) && answer.stderr.contains("there is no backup")
}

/// The processes die in sequence, each at the next step, and each one continues the deletion.
#[test]
fn a_deletion_whose_process_died_goes_on_with_the_next_one() {
    let site = Site::create();
    let folder = site.new_folder("purging");
    let id = start(&site, &folder, 0).makes_a_backup();
    for (at, place) in PURGING.iter().enumerate() {
        let mut replica = begin(&site, &folder, 0, Some(place));
        if at == 0 {
            replica.wait_until_serving();
            delete(&replica, &id);
        }
        replica.wait_until_dead();
    }
    let replica = start(&site, &folder, 0);
    eventually("the backup is gone", PATIENCE, || is_gone(&replica, &id).then_some(()));
    holds_only(&folder, &[]);
    eventually("no key version is held", DECLARED, || site.pins(&id).is_empty().then_some(()));
    replica.scans(0);
    let _ = replica.makes_a_backup();
}

/// A folder replaces the object, so no process can delete it as a file.
#[test]
fn a_refused_deletion_is_visible_keeps_its_pins_and_is_tried_again() {
    let site = Site::create();
    let folder = site.new_folder("purging");
    let replica = start(&site, &folder, 0);
    let id = replica.makes_a_backup();
    let object = folder.join(replica.backup(&id)["copies"][0]["key"].as_str().unwrap());
    let aside = site.path("aside");
    std::fs::rename(&object, &aside).unwrap();
    std::fs::create_dir(&object).unwrap();
    delete(&replica, &id);
    let refused = eventually("the copy says why", PATIENCE, || {
        let copy = replica.backup(&id)["copies"][0].clone();
        copy["reason"].as_str().is_some_and(|reason| !reason.is_empty()).then_some(copy)
    });
    assert_eq!(refused["state"], "BACKUP_COPY_STATE_DELETING", "{refused}");
    assert!(refused["problem"].as_str().is_some_and(|problem| !problem.is_empty()), "{refused}");
    assert_eq!(replica.backup(&id)["state"], "BACKUP_STATE_DELETING");
    let pins = site.pins(&id);
    assert!(!pins.is_empty() && pins.iter().all(Value::is_null), "{pins:?}");
    let said = replica.operator.run(&["backup", "undelete", &id]).failed_with(1);
    assert!(said.contains("delet"), "{said}");
    std::fs::remove_dir(&object).unwrap();
    std::fs::rename(&aside, &object).unwrap();
    eventually("it goes away by itself", PATIENCE, || is_gone(&replica, &id).then_some(()));
    assert!(site.pins(&id).is_empty());
    holds_only(&folder, &[]);
}

#[test]
fn a_deletion_that_is_taken_back_leaves_everything_as_it_was() {
    let site = Site::create();
    let folder = site.new_folder("purging");
    let replica = start(&site, &folder, 1);
    let id = replica.makes_a_backup();
    let before = site.pins(&id);
    let sidecar = folder.join(format!("{}.json", replica.backup(&id)["copies"][0]["key"].as_str().unwrap()));
    let says_deleted = || {
        let sidecar: Value = serde_json::from_slice(&std::fs::read(&sidecar).unwrap()).unwrap();
        !sidecar["record"]["delete_time"].is_null()
    };
    delete(&replica, &id);
    eventually("the sidecar says that it is deleted", PATIENCE, || says_deleted().then_some(()));
    let _ = replica.operator.run(&["backup", "download", &id, "--out", "-"]).failed_with(1);
    let restored = replica.operator.json(&["backup", "undelete", &id]);
    assert_eq!(restored["state"], "BACKUP_STATE_AVAILABLE", "{restored}");
    eventually("the sidecar says that it is not", PATIENCE, || (!says_deleted()).then_some(()));
    assert!(!before.is_empty());
    assert_eq!(site.pins(&id), before);
    replica.gives_back(&id, &site.path(""));
    holds_only(&folder, &[replica.backup(&id)]);
}
