//! The failpoints at which a process can die, and the required fate of its backup.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::repository;

/// The fate of a backup whose process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The backup is not in the catalogue.
    Unknown,
    Failed,
    Available,
}

/// A failpoint in the creation of a backup.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The name in `STRONGROOM_FAILPOINT`.
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Number of audit events for the start and for the end of the backup.
    pub(super) events: (usize, usize),
    /// Whether the upload needs several parts.
    pub(super) is_big: bool,
}

const fn failed(name: &'static str) -> Place {
    Place { name, fate: Fate::Failed, events: (1, 1), is_big: false }
}

const fn of_parts(name: &'static str) -> Place {
    Place { is_big: true, ..failed(name) }
}

const fn available(name: &'static str) -> Place {
    Place { fate: Fate::Available, ..failed(name) }
}

/// In the order in which a process reaches them.
pub(super) const CREATING: [Place; 18] = [
    Place { fate: Fate::Unknown, events: (0, 0), ..failed("create.before_row") },
    Place { events: (0, 1), ..failed("create.row") },
    failed("create.started"),
    failed("create.before_upload_id"),
    failed("create.after_upload_id"),
    of_parts("create.part#1"),
    of_parts("create.part#2"),
    of_parts("create.part#3"),
    of_parts("create.before_complete"),
    of_parts("create.after_complete"),
    failed("folder.small_written"),
    failed("create.sidecar"),
    failed("create.before_commit"),
    Place { is_big: true, ..available("create.after_commit") },
    available("create.before_pins"),
    available("create.after_pins"),
    available("create.ended"),
    // Reached only if the backup fails without a failpoint.
    failed(FAILED),
];

pub(super) const FAILED: &str = "create.failed";

/// In the order in which a process reaches them.
pub(super) const PURGING: [&str; 7] = [
    "purge.due",
    "purge.begun",
    "purge.object",
    "purge.sidecar",
    "purge.before_pins",
    "purge.after_pins",
    "purge.removed",
];

/// Reached during the removal of a dead process's uploaded data.
pub(super) const REMOVING: [&str; 3] = ["purge.upload", "purge.object", "purge.sidecar"];

/// In the order in which a process reaches them, each with the state and the reason of the drill that died there.
pub(super) const DRILLING: [(&str, &str, &str); 5] = [
    ("drill.created", "DRILL_STATE_NOT_DONE", "PROCESS_DIED"),
    ("drill.restored", "DRILL_STATE_NOT_DONE", "PROCESS_DIED"),
    ("drill.checked", "DRILL_STATE_PASSED", ""),
    ("drill.recorded", "DRILL_STATE_PASSED", ""),
    ("drill.ended", "DRILL_STATE_PASSED", ""),
];

/// Collects all failpoints in the source below `folder`.
fn in_source(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_source(&path, found);
        } else {
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = source.split("failpoint::reached(\"").skip(1);
            found.extend(calls.map(|call| call.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn each_place_of_the_source_is_tested() {
    let mut found = BTreeSet::new();
    for service in ["services/backup/src", "services/vault/src"] {
        in_source(&repository().join(service), &mut found);
    }
    let tested = CREATING.iter().map(|place| place.name).chain(PURGING).chain(REMOVING);
    let tested = tested.chain(DRILLING.map(|(place, _, _)| place));
    let tested = tested.chain(crate::dying_restores::places()).chain(crate::whole_restores::places());
    let tested = tested.chain(crate::reencrypted_columns::places()).chain(crate::dying_vaults::places());
    let tested: BTreeSet<String> = tested.map(|name| name.split('#').next().unwrap().to_owned()).collect();
    assert_eq!(found, tested);
}
