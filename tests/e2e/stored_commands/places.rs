//! Destinations that are read-only, missing or not configured.

use std::process::Command;
use std::time::Duration;

use e2e::{finish, tool};
use serde_json::json;

use super::{Storing, id_of, text};

#[test]
fn without_a_destination_nothing_is_stored_and_everything_else_works() {
    let storing = Storing::in_folders(&[]);
    for command in [&["backup", "create"][..], &["backup", "scan"]] {
        let said = storing.admin().run(command).failed_with(1);
        assert!(said.contains("[[destinations]]") && said.ends_with("[NO_DESTINATION]"), "{said}");
    }
    assert_eq!(storing.admin().json(&["backup", "list"]), json!([]));
    let _ = storing.admin().run(&["backup", "estimate"]).succeeded();
}

#[test]
fn a_destination_that_is_not_there_fails_the_backup_with_the_reason() {
    let storing = Storing::in_folders(&["local"]);
    let away = storing.folder("away");
    std::fs::rename(storing.folder("local"), &away).unwrap();
    let said = storing.admin().run(&["backup", "create"]).failed_with(1);
    assert!(
        said.contains("the folder does not exist; create it") && said.contains("[DESTINATION_MISSING]"),
        "{said}"
    );
    let failed = storing.admin().json(&["backup", "list", "--state", "failed"]);
    assert_eq!(failed[0]["reason"], "DESTINATION_MISSING");
    let scan = storing.admin().run(&["backup", "scan"]).failed_with(1);
    assert!(
        scan.contains("incomplete") && scan.contains("destination local: the folder does not exist"),
        "{scan}"
    );
    let _ = storing.admin().run(&["backup", "delete", &id_of(&failed[0]), "--yes"]).succeeded();
    std::fs::rename(away, storing.folder("local")).unwrap();
    let _ = storing.create();
}

#[test]
fn a_destination_that_fails_is_named_and_the_other_has_the_backup() {
    let storing = Storing::in_folders(&["local", "offsite"]);
    let folder = storing.folder("offsite");
    std::fs::remove_dir(&folder).unwrap();
    // A file instead of a folder: not even root can write there.
    std::fs::write(&folder, "").unwrap();
    let run = storing.admin().run(&["backup", "create", "-o", "json"]);
    let said = run.failed_with(1);
    assert!(said.contains("stored in local, and not in offsite ("), "{said}");
    let backup = run.json();
    assert_eq!(backup["state"], "BACKUP_STATE_AVAILABLE");
    let states: Vec<_> = backup["copies"].as_array().unwrap().iter().map(|copy| &copy["state"]).collect();
    assert_eq!(states[0], "BACKUP_COPY_STATE_STORED");
    assert_ne!(states[1], "BACKUP_COPY_STATE_STORED");
    let _ = storing.admin().run(&["backup", "create", "--destination", "local"]).succeeded();
}

#[test]
fn a_volume_that_is_read_only_is_said_to_be() {
    let own = "stored_commands::places::a_volume_that_is_read_only_is_said_to_be";
    if !has_own_mounts(own) {
        return;
    }
    let storing = Storing::in_folders(&["local"]);
    let id = storing.create();
    let folder = storing.folder("local");
    let mount = |options: &[&str]| {
        let status = Command::new("mount").args(options).arg(&folder).status().unwrap();
        assert!(status.success(), "mount {options:?}");
    };
    mount(&["--bind", text(&folder)]);
    mount(&["-o", "remount,ro,bind"]);
    // The service reaches the folder by its path, so it sees the mount.
    let said = storing.admin().run(&["backup", "create"]).failed_with(1);
    assert!(said.contains("it is read-only; mount it writable [DESTINATION_READ_ONLY]"), "{said}");
    let _ = storing.admin().run(&["backup", "verify", &id]).succeeded();
    mount(&["-o", "remount,rw,bind"]);
    let _ = storing.create();
}

/// Returns true in a separate mount namespace. Elsewhere, runs the test of this name there and returns false.
fn has_own_mounts(test: &str) -> bool {
    const INSIDE: &str = "STRONGROOM_TEST_WITH_ITS_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let Some(mut unshare) = tool::tool("unshare") else { return false };
    let is_allowed = Command::new("unshare").args(["--mount", "true"]).status().unwrap().success();
    if !is_allowed {
        tool::skipped("a test with a read-only volume: this machine does not allow a mount namespace");
        return false;
    }
    unshare.arg("--mount").arg(std::env::current_exe().unwrap()).args(["--exact", "--nocapture", test]);
    let run = finish(unshare.env(INSIDE, "1"), b"", Duration::from_secs(120)).succeeded();
    assert!(run.text().contains("1 passed"), "{}", run.said());
    false
}
