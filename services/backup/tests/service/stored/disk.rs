//! A full disk and a read-only folder, in a mount namespace of their own.

use std::path::PathBuf;
use std::process::Command;

use crate::support::database;
use crate::support::stored::{Stored, files};

/// Runs `script` in a mount namespace of its own, where `$1` is a folder, and there the ignored test `name`.
fn in_namespace(script: &str, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(if is_root { ["-m"].as_slice() } else { ["-r", "-m"].as_slice() });
    command.args(["sh", "-ec", &format!("{script}; exec \"$2\" --exact --ignored \"$3\"")]);
    command.arg("sh").arg(folder.path()).arg(std::env::current_exe().unwrap());
    command.arg(format!("stored::disk::{name}")).env("STRONGROOM_TEST_FOLDER", folder.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_passed = output.status.success() && text.contains("1 passed");
    assert!(is_passed, "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// A service of some 12 MB that stores backups in the test's folder.
async fn in_test_folder() -> (Stored, PathBuf) {
    let folder = PathBuf::from(std::env::var("STRONGROOM_TEST_FOLDER").unwrap());
    let destination = format!("[[destinations]]\nname = 'offsite'\nurl = 'file://{}'", folder.display());
    (Stored::with(database::large_folder().await, None, "", &destination).await, folder)
}

#[test]
fn a_full_disk_fails_the_backup_and_the_next_run_works() {
    in_namespace(
        "mount -t tmpfs -o size=20m tmpfs \"$1\"; head -c 14m /dev/zero > \"$1/ballast\"",
        "on_a_full_disk",
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a namespace of its own"]
async fn on_a_full_disk() {
    let (mut stored, folder) = in_test_folder().await;
    let backup = stored.failed("DESTINATION_FULL").await;
    assert!(backup.problem.contains("free space"), "{backup:?}");
    assert_eq!(files(&folder), ["ballast"]);
    std::fs::remove_file(folder.join("ballast")).unwrap();
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
}

#[test]
fn a_read_only_folder_fails_the_backup_and_the_next_run_works() {
    in_namespace("mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"", "in_a_read_only_folder");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a namespace of its own"]
async fn in_a_read_only_folder() {
    let (mut stored, folder) = in_test_folder().await;
    let backup = stored.ended().await;
    assert_eq!(backup.reason, "DESTINATION_READ_ONLY", "{backup:?}");
    assert!(backup.problem.contains("mount it writable"), "{backup:?}");
    let remounted = Command::new("mount").args(["-o", "remount,bind,rw"]).arg(&folder).status().unwrap();
    assert!(remounted.success());
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
}
