//! A full disk and a read-only folder, in a mount namespace of their own.

use std::path::Path;
use std::process::Command;

use strongroom_testkit::in_mount_namespace;

use crate::support::database;
use crate::support::stored::{Stored, files};

/// A service of some 12 MB that stores backups in `folder`.
async fn storing_in(folder: &Path) -> Stored {
    let destination = format!("[[destinations]]\nname = 'offsite'\nurl = 'file://{}'", folder.display());
    Stored::with(database::large_folder().await, None, "", &destination).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_backup_and_the_next_run_works() {
    let script = "mount -t tmpfs -o size=20m tmpfs \"$1\"; head -c 14m /dev/zero > \"$1/ballast\"";
    let test = "stored::disk::a_full_disk_fails_the_backup_and_the_next_run_works";
    let Some(folder) = in_mount_namespace(test, script) else { return };
    let mut stored = storing_in(&folder).await;
    let backup = stored.failed("DESTINATION_FULL").await;
    assert!(backup.problem.contains("free space"), "{backup:?}");
    assert_eq!(files(&folder), ["ballast"]);
    std::fs::remove_file(folder.join("ballast")).unwrap();
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_folder_fails_the_backup_and_the_next_run_works() {
    let script = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
    let test = "stored::disk::a_read_only_folder_fails_the_backup_and_the_next_run_works";
    let Some(folder) = in_mount_namespace(test, script) else { return };
    let mut stored = storing_in(&folder).await;
    let backup = stored.ended().await;
    assert_eq!(backup.reason, "DESTINATION_READ_ONLY", "{backup:?}");
    assert!(backup.problem.contains("mount it writable"), "{backup:?}");
    let remounted = Command::new("mount").args(["-o", "remount,bind,rw"]).arg(&folder).status().unwrap();
    assert!(remounted.success());
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
}
