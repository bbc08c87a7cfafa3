//! A full disk and a read-only folder, each in its own mount namespace.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::BackupState;
use strongroom_api::backup::v1::schedule_service_client::ScheduleServiceClient;
use strongroom_api::status::v1::GetStatusRequest;
use strongroom_api::status::v1::status_service_client::StatusServiceClient;
use strongroom_crypto::Token;
use strongroom_testkit::{ManualClock, in_mount_namespace};

use crate::support::database;
use crate::support::stored::{Stored, files};

/// Two schedule checks and a backup.
const PATIENCE: Duration = Duration::from_secs(90);

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

/// The status calls a schedule failing exactly when `StrongroomScheduleFailing` fires: both use the same data.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_a_scheduled_run_that_is_seen_and_the_next_run_works() {
    let script = "mount -t tmpfs -o size=20m tmpfs \"$1\"; head -c 14m /dev/zero > \"$1/ballast\"";
    let test = "stored::disk::a_full_disk_fails_a_scheduled_run_that_is_seen_and_the_next_run_works";
    let Some(folder) = in_mount_namespace(test, script) else { return };
    let clock = ManualClock::at(1_796_040_000_000_000);
    let mut stored = storing_in(&folder).await.by_clock(Arc::new(clock.clone())).await;
    let permissions = ["backup.create", "schedule.create", "status.get"];
    let channel = stored.service.channel(&Token::generate(), &permissions);
    let mut schedules = ScheduleServiceClient::new(channel.clone());
    let (name, cron) = ("nightly".to_owned(), "@daily".to_owned());
    let request = proto::CreateScheduleRequest { name, cron, ..Default::default() };
    schedules.create_schedule(request).await.unwrap();
    for (state, reason, seen) in
        [(BackupState::Failed, "DESTINATION_FULL", "failing"), (BackupState::Available, "", "active")]
    {
        clock.advance(Duration::from_secs(24 * 3600));
        let began = Instant::now();
        let backup = loop {
            let newest = stored.list().await.into_iter().next();
            match newest.filter(|backup| backup.state() == state) {
                Some(backup) => break backup,
                None => assert!(began.elapsed() < PATIENCE, "no run is {state:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!((&*backup.schedule, &*backup.reason), ("nightly", reason), "{backup:?}");
        let mut status = StatusServiceClient::new(channel.clone());
        loop {
            let found = status.get_status(GetStatusRequest {}).await.unwrap().into_inner().status.unwrap();
            if found.schedules.first().is_some_and(|schedule| schedule.state == seen) {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{:?} is not {seen}", found.schedules);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let _ = std::fs::remove_file(folder.join("ballast"));
    }
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
