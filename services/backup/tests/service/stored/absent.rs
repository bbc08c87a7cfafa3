//! The vault, or the service's own database, is briefly unavailable.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use strongroom_api::backup::v1::{BackupCopyState, BackupState};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::stored::{KINDS, Stored, all};
use crate::support::vault::KID;

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_at_any_step_fails_the_backup_and_leaves_nothing() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        for method in
            ["PinKeyVersions", "ReadSnapshot", "GetAuditHead", "ExportKeyRing", "SignManifest", "SignSidecar"]
        {
            stored.vault().be_away_for(method);
            let backup = stored.failed("VAULT_UNAVAILABLE").await;
            stored.until_pinned(&backup.id, None).await;
            stored.vault().answer_all();
        }
        stored.vault().be_away_for("WrapFileKey");
        let refused = stored.try_create().await.unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::Unavailable, "VAULT_UNAVAILABLE"));
        stored.vault().answer_all();
        let backup = stored.available().await;
        stored.download(&backup.id).await.unwrap();
        assert_eq!(stored.list().await.len(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_that_stays_away_fails_the_backup() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        stored.vault().be_away_for("RecordAuditEvent");
        let backup = stored.failed("VAULT_UNAVAILABLE").await;
        stored.vault().answer_all();
        stored.until_pinned(&backup.id, None).await;
        stored.available().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_a_stored_backup_are_asserted_once_the_vault_is_back() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        stored.vault().be_away_for("NarrowKeyPins");
        let id = stored.available().await.id;
        stored.vault().forget_pins();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stored.until_pinned(&id, None).await;
        stored.vault().answer_all();
        stored.until_pinned(&id, Some(&[KID])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_waits_for_the_vault() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "delete_delay_hours = 0").await;
        let id = stored.available().await.id;
        stored.until_pinned(&id, Some(&[KID])).await;
        stored.vault().be_away_for("ReleaseKeyPins");
        stored.delete(&id).await.unwrap();
        let backup = stored.until(&id, all(BackupCopyState::Deleted)).await;
        assert_eq!(backup.state(), BackupState::Deleting);
        stored.vault().answer_all();
        stored.until_gone(&id).await;
        stored.until_pinned(&id, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_moment_leaves_nothing_half_done() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        stored.vault().be_slow(Duration::from_secs(1));
        let id = stored.create().await.id;
        let options = SqliteConnectOptions::new().filename(stored.service.folder.path().join("backup.db"));
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        let began = Instant::now();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        tokio::time::sleep(Duration::from_secs(16)).await;
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        let backup = stored.until(&id, |backup| backup.state() != BackupState::Creating).await;
        assert!(
            began.elapsed() > Duration::from_secs(16) && backup.state() == BackupState::Failed,
            "{backup:?}"
        );
        stored.until(&id, all(BackupCopyState::Failed)).await;
        assert_eq!(stored.files(), [""; 0]);
        stored.vault().be_slow(Duration::ZERO);
        stored.available().await;
    }
}
