//! A disk fills up in the middle of a restore of several sources: the sources' disk or the backup service's. If the
//! restore cannot swap its first source, all sources become old again. Once it has swapped the first one, all become new
//! as soon as there is space.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::eventually;
use serde_json::Value;
use strongroom_testkit::{TestDb, in_mount_namespace};

use super::platform::{Files, Platform};
use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::{Replica, Site, is_settled};

const MOUNTED: &str = "mount -t tmpfs -o size=64m tmpfs \"$1\"";

/// The failpoint at which the process is stopped while the disk is filled, and whether all sources end up new.
type Place = (&'static str, bool);

/// Failpoints of two databases and a set of files.
const OF_SOURCES: [Place; 6] = [
    ("restore.staging", false),
    ("restore.stage_begun", false),
    ("files.staging", false),
    ("restore.swapping", false),
    ("restore.swapping#2", true),
    ("restore.swapping#3", true),
];
const OF_SERVICE: [Place; 4] = [
    ("restore.begun", false),
    ("restore.staging", false),
    ("restore.swapping", true),
    ("restore.swapping#2", true),
];
/// How long a service has no space for its records.
const FULL: Duration = Duration::from_secs(3);

/// `sources` and `service` are the folders of each; one of them is on the disk that fills up.
fn goes_through(
    disk: &Path,
    (sources, service): (&Path, &Path),
    places: &[Place],
    is_full: impl Fn(&Value) -> bool,
) {
    let folder = tempfile::tempdir_in(service).unwrap();
    let mut site = Site::create_in(folder, 2 * places.len(), || TestDb::sqlite_in(sources), "");
    let create = |at| Files::create_in(tempfile::tempdir_in(sources).unwrap(), &format!("f{at}"));
    let mut files: Vec<Files> = (0..places.len()).map(create).collect();
    site.sources = files.iter().map(Files::configuration).collect();
    let backup = site.backed_up_and_changed();
    files.iter_mut().for_each(Files::change);
    for (at, (place, is_new)) in places.iter().enumerate() {
        let platform = Platform { databases: &site.targets[2 * at..2 * at + 2], files: &files[at] };
        let replica = site.start(Some(&format!("stop:{place}")));
        let id = replica.plan_of(&backup, &platform.sources());
        let mut command = replica.spawn(&["restore", "apply", &id, "--confirm", "dying"]);
        replica.wait_until_paused();
        let ballast = fill(disk);
        replica.service.signal("CONT");
        let what = format!("{place} with a full disk");
        let stuck = eventually(&what, DECLARED, || Some(replica.get(&id)).filter(&is_full));
        std::fs::remove_file(ballast).unwrap();
        let ended = eventually(&what, DECLARED + FULL, || Some(replica.get(&id)).filter(is_settled));
        check((place, *is_new), &platform, (&stuck, &ended));
        let _ = command.kill();
        let _ = command.wait();
        works(&replica, &backup, &platform);
    }
}

/// The restore's state and problems, without its plan.
fn brief(restore: &Value) -> String {
    let of = |name: &str| restore[name].to_string();
    ["state", "reason", "problem", "steps"].map(of).join(" ")
}

fn check((place, is_new): Place, platform: &Platform<'_>, (stuck, ended): (&Value, &Value)) {
    let state = if is_new { "RESTORE_STATE_APPLIED" } else { "RESTORE_STATE_FAILED" };
    assert_eq!(ended["state"], state, "{place}: {}", brief(ended));
    assert_eq!(platform.are_restored(), [is_new; 3], "{place}: {}", brief(ended));
    assert_eq!(platform.have_ours(), [is_new; 3], "{place}: {}", brief(ended));
    let said = format!("{} {}", stuck["problem"], ended["problem"]);
    let names_it = ["is full", "0 are free", "No space left"].iter().any(|words| said.contains(words));
    assert!(is_new || names_it, "{place}: {} {}", brief(stuck), brief(ended));
}

fn works(replica: &Replica, backup: &str, platform: &Platform<'_>) {
    let id = replica.plan_of(backup, &platform.sources());
    let again = replica.operator.json(&["restore", "apply", &id, "--confirm", "dying"]);
    assert_eq!(again["state"], "RESTORE_STATE_APPLIED", "{again}");
    assert_eq!(platform.are_restored(), [true; 3], "{again}");
}

/// Fills the disk completely.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 4 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

#[test]
fn a_full_disk_of_the_sources_leaves_all_of_them_old_or_makes_all_of_them_new() {
    let test = "whole_restores::full_disks::a_full_disk_of_the_sources_leaves_all_of_them_old_or_makes_all_of_them_new";
    let Some(disk) = in_mount_namespace(test, MOUNTED) else { return };
    let says_so = |restore: &Value| restore["problem"].as_str().is_some_and(|problem| !problem.is_empty());
    goes_through(&disk, (&disk, &std::env::temp_dir()), &OF_SOURCES, says_so);
}

#[test]
fn a_full_disk_of_the_service_leaves_all_sources_old_or_makes_all_of_them_new() {
    let test = "whole_restores::full_disks::a_full_disk_of_the_service_leaves_all_sources_old_or_makes_all_of_them_new";
    let Some(disk) = in_mount_namespace(test, MOUNTED) else { return };
    // The service has no space to record a problem.
    let waits = |_: &Value| {
        std::thread::sleep(FULL);
        true
    };
    goes_through(&disk, (&std::env::temp_dir(), &disk), &OF_SERVICE, waits);
}
