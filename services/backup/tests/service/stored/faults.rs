//! Faults of an S3 service while backups are made, read and deleted.

use std::time::{Duration, Instant};

use http::Method;
use strongroom_api::backup::v1::{BackupCopyState, BackupState};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::s3::{Effect, Fault, KEYS};
use strongroom_testkit::{S3, write_private};

use crate::support::stored::{KINDS, Kind, Stored, all};
use crate::support::vault::KID;

const DENIED: Effect = Effect::Refuse(403, "AccessDenied");
const AT_ONCE: &str = "delete_delay_hours = 0";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_some_requests_or_is_slow_is_not_noticed() {
    for effect in [
        Effect::Refuse(503, "SlowDown"),
        Effect::Refuse(500, "InternalError"),
        Effect::Wait(Duration::from_millis(300)),
        Effect::LoseAnswer,
    ] {
        let mut stored = Stored::large(Kind::Bucket, AT_ONCE).await;
        for method in [Method::PUT, Method::HEAD, Method::GET, Method::DELETE] {
            stored.s3().fail(Fault::always(effect).of(method).times(2));
        }
        // If the answer to an upload's first request is lost, its id stays unknown; such an upload has no parts.
        let upload = if matches!(effect, Effect::LoseAnswer) { "uploadId" } else { "upload" };
        stored.s3().fail(Fault::always(effect).of(Method::POST).containing(upload).times(2));
        let backup = stored.available().await;
        for method in [Method::HEAD, Method::GET, Method::DELETE] {
            stored.s3().fail(Fault::always(effect).of(method).times(2));
        }
        let bytes = stored.download(&backup.id).await.unwrap().bytes;
        assert_eq!(bytes.len() as i64, backup.content.unwrap().size_bytes);
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.missing, scan.problem.as_str()), (1, 0, ""), "{effect:?}: {scan:?}");
        stored.delete(&backup.id).await.unwrap();
        stored.until_gone(&backup.id).await;
        assert_eq!(stored.files(), [""; 0], "{effect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_short_are_continued() {
    let mut stored = Stored::large(Kind::Bucket, "").await;
    let backup = stored.available().await;
    stored.s3().fail(Fault::always(Effect::Cut(1 << 20)).of(Method::GET));
    let downloaded = stored.download(&backup.id).await.unwrap();
    assert_eq!(downloaded.bytes.len() as i64, backup.content.unwrap().size_bytes);
    let outcomes = stored.verify(&backup.id).await.unwrap();
    assert_eq!(outcomes, [1; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_fails_the_backup_within_a_minute() {
    let mut stored = Stored::start(Kind::Bucket, "").await;
    stored.s3().fail(Fault::always(Effect::Refuse(503, "SlowDown")));
    let began = Instant::now();
    let backup = stored.ended().await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(
        (backup.state(), backup.reason.as_str()),
        (BackupState::Failed, "DESTINATION_UNAVAILABLE"),
        "{backup:?}"
    );
    assert!(backup.problem.contains("try again"), "{backup:?}");
    stored.s3().heal();
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
    stored.until(&backup.id, all(BackupCopyState::Failed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_deletes_are_shown_and_tried_again_with_the_pins_held() {
    let mut stored = Stored::start(Kind::Bucket, AT_ONCE).await;
    let id = stored.available().await.id;
    stored.until_pinned(&id, Some(&[KID])).await;
    let files = stored.files();
    stored.s3().fail(Fault::always(DENIED).of(Method::DELETE));
    stored.delete(&id).await.unwrap();
    let backup = stored.until(&id, |backup| !backup.copies[0].reason.is_empty()).await;
    assert_eq!(backup.state(), BackupState::Deleting);
    let copy = &backup.copies[0];
    assert_eq!((copy.state(), copy.reason.as_str()), (BackupCopyState::Deleting, "DELETE_REFUSED"));
    assert!(copy.problem.contains("retention"), "{copy:?}");
    assert_eq!(reason_of(&stored.undelete(&id).await.unwrap_err()), "BACKUP_PURGING");
    assert_eq!(reason_of(&stored.download(&id).await.err().unwrap()), "BACKUP_PURGING");
    assert_eq!(stored.list().await, [backup]);

    // The service retries the deletion by itself.
    let deletes = |stored: &Stored| {
        stored.s3().requests().iter().filter(|request| request.method == Method::DELETE).count()
    };
    let (before, began) = (deletes(&stored), Instant::now());
    while deletes(&stored) == before {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody tries again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(stored.files(), files);
    stored.until_pinned(&id, Some(&[KID])).await;
    stored.s3().heal();
    stored.until_gone(&id).await;
    stored.until_pinned(&id, None).await;
    assert_eq!(stored.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_abort_is_shown_and_tried_again() {
    let mut stored = Stored::large(Kind::Bucket, "").await;
    stored.s3().fail(Fault::always(DENIED).containing("partNumber=2"));
    stored.s3().fail(Fault::always(DENIED).of(Method::DELETE));
    let id = stored.ended().await.id;
    let backup = stored.until(&id, |backup| !backup.copies[0].reason.is_empty()).await;
    assert_eq!((backup.state(), &*backup.reason), (BackupState::Failed, "DESTINATION_DENIED"), "{backup:?}");
    assert_eq!(backup.copies[0].state(), BackupCopyState::Aborting);
    assert!(!stored.files().is_empty(), "the first part is there");
    stored.s3().heal();
    let backup = stored.until(&id, all(BackupCopyState::Failed)).await;
    assert_eq!(stored.files(), [""; 0]);
    assert_eq!(backup.copies[0].reason, "", "nothing of it is left, and nothing is refused any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_midway_fail_the_backup_and_new_ones_need_no_restart() {
    let mut stored = Stored::large(Kind::Bucket, "").await;
    stored.s3().fail(Fault::always(Effect::Refuse(403, "ExpiredToken")).containing("partNumber=2"));
    let id = stored.ended().await.id;
    // From the second part on, the former credentials are rejected.
    stored.s3().accept_only(KEYS.0, "second-secret-key");
    stored.s3().heal();
    let backup = stored.get(&id).await.unwrap();
    assert_eq!((backup.state(), &*backup.reason), (BackupState::Failed, "DESTINATION_DENIED"), "{backup:?}");
    let file = stored.service.folder.path().join("offsite.credentials");
    write_private(&file, S3::credentials((KEYS.0, "second-secret-key")));
    let next = stored.available().await;
    stored.download(&next.id).await.unwrap();
    stored.until(&id, all(BackupCopyState::Failed)).await;
    assert_eq!(stored.files().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_or_folder_fails_the_backup_and_the_next_run_works() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        match kind {
            Kind::Bucket => stored.s3().fail(Fault::always(Effect::Refuse(404, "NoSuchBucket"))),
            Kind::Folder => std::fs::remove_dir(stored.objects()).unwrap(),
        }
        let backup = stored.ended().await;
        assert_eq!(
            (backup.state(), backup.reason.as_str()),
            (BackupState::Failed, "DESTINATION_MISSING"),
            "{backup:?}"
        );
        match kind {
            Kind::Bucket => stored.s3().heal(),
            Kind::Folder => std::fs::create_dir(stored.objects()).unwrap(),
        }
        stored.available().await;
        stored.until(&backup.id, all(BackupCopyState::Failed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_refused_deletes_than_are_looked_at_together_keep_nothing_else_from_being_done() {
    let mut stored = Stored::start(Kind::Bucket, AT_ONCE).await;
    stored.s3().fail(Fault::always(DENIED).of(Method::DELETE));
    for _ in 0..101 {
        let id = stored.available().await.id;
        stored.delete(&id).await.unwrap();
    }
    let held = stored.available().await;
    stored.hold(&held.id).await.unwrap();
    stored.until_recorded(&held, "\"hold\":true").await;
}
