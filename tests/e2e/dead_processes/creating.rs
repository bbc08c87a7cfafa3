//! A process that dies while it makes a backup, and its successor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use e2e::eventually;
use serde_json::Value;

use super::places::{CREATING, FAILED, Fate, Place, REMOVING};
use super::replica::{DECLARED, Replica, Start, holds_only};
use super::site::Site;

/// A database and a folder shared by a sequence of processes.
struct Chain<'a> {
    site: &'a Site,
    name: &'a str,
    database: String,
    folder: PathBuf,
}

/// Prefix for the file names of the backup whose process died at `place`.
pub(super) fn app_of(place: &str) -> String {
    place.replace(['.', '_', '#', ':'], "-")
}

impl<'a> Chain<'a> {
    fn create(site: &'a Site, name: &'a str) -> Self {
        let database = format!("sqlite:{}", site.path(&format!("{name}.db")).display());
        Self { site, name, database, folder: site.new_folder(name) }
    }

    fn start(&self, app: &str) -> Replica {
        let mut replica = self.begin(&self.folder, app, None);
        replica.wait_until_serving();
        replica
    }

    /// Starts a process without waiting for it, because it may die first.
    fn begin(&self, folder: &Path, app: &str, failpoint: Option<&str>) -> Replica {
        let destinations = Site::destination(folder);
        let (site, database) = (self.site, self.database.as_str());
        Start { site, app, database, destinations: &destinations, delete_delay_hours: 1, failpoint }.begin()
    }

    fn dies_at(&self, place: &Place) {
        let folder = if place.name == FAILED { self.folder.join("not-mounted") } else { self.folder.clone() };
        let mut replica = self.begin(&folder, &app_of(place.name), Some(place.name));
        replica.wait_until_serving();
        replica.begin_backup(place.is_big);
        replica.wait_until_dead();
    }

    /// Checks how a successor settles the backups of all dead processes.
    fn settles(&self, places: &[Place]) {
        let replica = self.start(self.name);
        let expected: BTreeMap<String, Vec<&str>> =
            places.iter().map(|place| (app_of(place.name), states(place.fate))).collect();
        eventually(&format!("{expected:?}"), DECLARED, || {
            let found: BTreeMap<String, Vec<String>> =
                places.iter().map(|place| of(&replica, place)).collect();
            let is_settled = found.iter().all(|(app, states)| *states == expected[app]);
            is_settled.then_some(())
        });
        let mut stored = Vec::new();
        for place in places {
            stored.extend(replica.backups_of(&app_of(place.name)).into_iter().filter(is_available));
        }
        holds_only(&self.folder, &stored);
        replica.scans(stored.len());
        for place in places {
            self.is_settled(&replica, place);
        }
        stored.push(replica.backup(&replica.makes_a_backup()));
        holds_only(&self.folder, &stored);
    }

    fn is_settled(&self, replica: &Replica, place: &Place) {
        let app = app_of(place.name);
        let events = ["backup.create_started", "backup.created"].map(|event| self.site.count(event, &app));
        assert_eq!(events, [place.events.0, place.events.1], "{}", place.name);
        let Some(backup) = replica.backups_of(&app).pop() else { return };
        let id = backup["id"].as_str().unwrap();
        let pins = self.site.pins(id);
        if place.fate == Fate::Available {
            assert!(!pins.is_empty() && pins.iter().all(Value::is_null), "{}: {pins:?}", place.name);
            replica.gives_back(id, self.site.path("").as_path());
        } else {
            assert!(pins.is_empty(), "{}: {pins:?}", place.name);
            let reason = if place.name == FAILED { "DESTINATION_MISSING" } else { "PROCESS_DIED" };
            assert_eq!(backup["reason"], reason, "{}: {backup}", place.name);
            assert!(!backup["problem"].as_str().unwrap().is_empty(), "{backup}");
            assert_eq!(backup["copies"][0]["state"], "BACKUP_COPY_STATE_FAILED", "{}: {backup}", place.name);
        }
    }
}

fn states(fate: Fate) -> Vec<&'static str> {
    match fate {
        Fate::Unknown => vec![],
        Fate::Failed => vec!["BACKUP_STATE_FAILED"],
        Fate::Available => vec!["BACKUP_STATE_AVAILABLE"],
    }
}

/// The states of the backups whose process died at `place`. A failed backup counts only once nothing of it is left.
fn of(replica: &Replica, place: &Place) -> (String, Vec<String>) {
    let app = app_of(place.name);
    let found = replica.backups_of(&app).into_iter();
    let settled = found.filter(|backup| backup["copies"][0]["state"] != "BACKUP_COPY_STATE_ABORTING");
    let states = settled.map(|backup| backup["state"].as_str().unwrap().to_owned()).collect();
    (app, states)
}

fn is_available(backup: &Value) -> bool {
    backup["state"] == "BACKUP_STATE_AVAILABLE"
}

/// Several processes die in sequence, each at the next failpoint, before the first is declared dead.
#[test]
fn a_backup_whose_process_died_is_failed_or_whole_and_nothing_else_is_left() {
    let site = Site::create();
    let (first, rest) = CREATING.split_at(6);
    let (second, third) = rest.split_at(5);
    std::thread::scope(|scope| {
        for (name, places) in [("first", first), ("second", second), ("third", third)] {
            let site = &site;
            scope.spawn(move || {
                let chain = Chain::create(site, name);
                places.iter().for_each(|place| chain.dies_at(place));
                chain.settles(places);
            });
        }
    });
}

/// The successors die at each step of removing uploaded data, and the next one continues.
#[test]
fn removing_what_a_dead_process_has_sent_goes_on_when_its_heir_dies_too() {
    let site = Site::create();
    let chain = Chain::create(&site, "removing");
    let place = CREATING.iter().find(|place| place.name == "create.part#2").unwrap();
    chain.dies_at(place);
    for removing in REMOVING {
        chain.begin(&chain.folder, "removing", Some(removing)).wait_until_dead();
    }
    let replica = chain.start("removing");
    eventually("the backup has failed", DECLARED, || {
        (of(&replica, place).1 == ["BACKUP_STATE_FAILED"]).then_some(())
    });
    holds_only(&chain.folder, &[]);
    replica.scans(0);
}
