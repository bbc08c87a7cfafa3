//! Limits on concurrent backups and on a backup's duration, and the effect of a shutdown.

use std::time::Duration;

use strongroom_api::backup::v1::{BackupCopyState, BackupState};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::stored::{KINDS, Stored, all};

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_more_than_may_be_made_is_refused_until_one_has_ended() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "concurrent_backups = 1").await;
        stored.vault().be_slow(Duration::from_secs(2));
        let first = stored.create().await;
        let refused = stored.try_create().await.unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::ResourceExhausted, "BACKUPS_BUSY"));
        assert_eq!(stored.list().await.len(), 1, "it is not in the catalogue");
        stored.until(&first.id, |backup| backup.state() == BackupState::Available).await;
        stored.vault().be_slow(Duration::ZERO);
        let mut next = stored.try_create().await;
        for _ in 0..50 {
            if next.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            next = stored.try_create().await;
        }
        let id = next.unwrap().id;
        stored.until(&id, |backup| backup.state() == BackupState::Available).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_takes_too_long_fails_and_leaves_nothing() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "create_limit_seconds = 1").await;
        stored.vault().be_slow(Duration::from_secs(30));
        let backup = stored.failed("BACKUP_TOO_LONG").await;
        assert!(backup.problem.contains("create_limit_seconds"), "{backup:?}");
        stored.until_pinned(&backup.id, None).await;
        stored.vault().be_slow(Duration::ZERO);
        stored.available().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_fails_what_is_being_made() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        stored.vault().be_slow(Duration::from_secs(30));
        let id = stored.create().await.id;
        while stored.vault().snapshots() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut stored = stored.restarted(|_| ()).await;
        stored.vault().be_slow(Duration::ZERO);
        let backup = stored.until(&id, all(BackupCopyState::Failed)).await;
        assert_eq!(
            (backup.state(), backup.reason.as_str()),
            (BackupState::Failed, "SHUTTING_DOWN"),
            "{backup:?}"
        );
        assert_eq!(stored.files(), [""; 0]);
        stored.until_pinned(&id, None).await;
        stored.available().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_create_may_neither_delete_nor_hold_nor_read_what_was_created() {
    let mut stored = Stored::start(KINDS[0], "").await;
    let all = stored.client.clone();
    stored.client = stored.service.client_with(&["backup.create", "backup.get"]);
    let id = stored.available().await.id;
    for refused in [
        stored.delete(&id).await.err(),
        stored.undelete(&id).await.err(),
        stored.hold(&id).await.err(),
        stored.release(&id).await.err(),
        stored.download(&id).await.err(),
        stored.verify(&id).await.err(),
    ] {
        assert_eq!(refused.unwrap().code(), Code::PermissionDenied);
    }
    stored.client = all;
    stored.download(&id).await.unwrap();
}
