//! Several destinations: each copy has its own state.

use http::Method;
use strongroom_api::backup::v1::{Backup, BackupCopyState, BackupState, ScanBackupsRequest};
use strongroom_testkit::S3;
use strongroom_testkit::s3::{Effect, Fault};

use crate::support::database;
use crate::support::stored::{Stored, all, destination, files};

/// `near` in a folder and `far` in an S3 service; [`Stored::files`] lists the files of `far`.
async fn two_places() -> Stored {
    let (folder, s3) = (database::large_folder().await, S3::start().await);
    let near = destination("near", folder.path(), None);
    let far = destination("far", folder.path(), Some(&s3));
    Stored::with(folder, Some(s3), "", &format!("{near}{far}")).await
}

fn states(backup: &Backup) -> Vec<(&str, BackupCopyState, &str)> {
    backup.copies.iter().map(|copy| (&*copy.destination, copy.state(), &*copy.reason)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_fails_midway_is_left_behind_and_nothing_of_its_copy_stays() {
    let mut stored = two_places().await;
    stored.s3().fail(Fault::always(Effect::Refuse(403, "AccessDenied")).containing("partNumber=2"));
    let backup = stored.ended().await;
    assert_eq!((backup.state(), backup.reason.as_str()), (BackupState::Available, ""), "{backup:?}");
    let backup = stored.until(&backup.id, |backup| backup.copies[1].state() == BackupCopyState::Failed).await;
    assert_eq!(
        states(&backup),
        [("near", BackupCopyState::Stored, ""), ("far", BackupCopyState::Failed, "DESTINATION_DENIED")]
    );
    assert!(backup.copies[1].problem.contains("credentials"), "{backup:?}");
    assert_eq!(stored.files(), [""; 0], "no part, no object, no sidecar");
    assert_eq!(stored.download(&backup.id).await.unwrap().header.destination, "near");
    let event = stored.vault().wait_for("backup.created").await;
    assert!(event.metadata["failed_destinations"].contains("far"), "{event:?}");

    stored.s3().heal();
    let next = stored.ended().await;
    assert!(all(BackupCopyState::Stored)(&next), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_cannot_be_written_fails_only_its_copy() {
    let mut stored = two_places().await;
    stored.s3().fail(Fault::always(Effect::Refuse(403, "AccessDenied")).of(Method::PUT).containing(".json"));
    let id = stored.ended().await.id;
    let backup = stored.until(&id, |backup| backup.copies[1].state() == BackupCopyState::Failed).await;
    assert_eq!(
        states(&backup),
        [("near", BackupCopyState::Stored, ""), ("far", BackupCopyState::Failed, "DESTINATION_DENIED")]
    );
    assert_eq!(stored.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_destinations_fail_nothing_is_left_and_the_next_run_works() {
    let mut stored = two_places().await;
    let near = stored.service.folder.path().join("near");
    std::fs::remove_dir(&near).unwrap();
    stored.s3().fail(Fault::always(Effect::Refuse(403, "AccessDenied")).containing("partNumber=2"));
    let id = stored.ended().await.id;
    let backup = stored.get(&id).await.unwrap();
    assert_eq!(backup.state(), BackupState::Failed, "{backup:?}");
    assert!(!backup.reason.is_empty() && !backup.problem.is_empty());
    stored.until_pinned(&id, None).await;

    std::fs::create_dir(&near).unwrap();
    stored.s3().heal();
    let failed = stored.until(&id, all(BackupCopyState::Failed)).await;
    assert!(failed.content.is_none() && failed.progress.is_none(), "{failed:?}");
    assert_eq!((stored.files(), files(&near)), (Vec::new(), Vec::new()));
    let next = stored.ended().await;
    assert!(all(BackupCopyState::Stored)(&next), "{next:?}");

    // A failed backup is gone at once.
    stored.delete(&id).await.unwrap();
    stored.until_gone(&id).await;
    assert_eq!(stored.files().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_stranger_claims_is_not_read_once_another_one_is_verified() {
    let mut stored = two_places().await;
    let backup = stored.ended().await;
    assert!(all(BackupCopyState::Stored)(&backup), "{backup:?}");
    let key = &backup.copies[0].key;
    let near = stored.service.folder.path().join("near").join(format!("{key}.json"));
    let good = std::fs::read_to_string(&near).unwrap();
    let kid = stored.vault().signer().kid.to_string();
    std::fs::write(&near, good.replace(&kid, "00000000000000ee")).unwrap();
    let mut stored = stored.forgetful().await;
    let request = ScanBackupsRequest::default();
    let scans = stored.client.scan_backups(request.clone()).await.unwrap().into_inner().destinations;
    let counts: Vec<_> = scans.iter().map(|scan| (scan.found, scan.added, scan.unverified)).collect();
    assert_eq!(counts, [(0, 1, 1), (1, 0, 0)]);
    let found = stored.get(&backup.id).await.unwrap();
    assert_eq!(found.state(), BackupState::Available);
    assert_eq!(
        states(&found),
        [("far", BackupCopyState::Stored, ""), ("near", BackupCopyState::Missing, "OBJECT_MISSING")]
    );
    // The copy's own record is genuine again.
    std::fs::write(&near, good).unwrap();
    stored.client.scan_backups(request).await.unwrap();
    let found = stored.get(&backup.id).await.unwrap();
    assert!(all(BackupCopyState::Stored)(&found), "{found:?}");
}
