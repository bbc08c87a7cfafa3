//! A backup from its creation to its purge.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strongroom_age::{Identity, SealReader};
use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::{BackupCopyState, BackupState, VerifyOutcome};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::seal::Header;
use strongroom_archive::{ArchiveReader, Limits, verify};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::stored::{KINDS, Stored};
use crate::support::vault::KID;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_watched_listed_downloaded_opened_and_verified() {
    for kind in KINDS {
        let mut stored = Stored::large(kind, "").await;
        let created = stored.create().await;
        assert_eq!(created.state(), BackupState::Creating);
        assert!(created.content.is_none() && created.end_time.is_none(), "{created:?}");
        let request = proto::WatchBackupRequest { id: created.id.clone() };
        let mut watched = stored.client.watch_backup(request).await.unwrap().into_inner();
        let mut seen: Vec<proto::Backup> = Vec::new();
        while let Some(answer) = watched.message().await.unwrap() {
            seen.push(answer.backup.unwrap());
        }
        let done = seen.pop().unwrap();
        assert_eq!(done.state(), BackupState::Available, "{done:?}");
        assert!(seen.iter().all(|backup| backup.state() == BackupState::Creating));
        let rows: Vec<i64> = seen.iter().filter_map(|backup| Some(backup.progress.as_ref()?.rows)).collect();
        assert!(rows.is_sorted(), "{rows:?}");
        assert!(done.progress.is_none() && done.reason.is_empty() && done.problem.is_empty());
        assert_eq!(stored.get(&created.id).await.unwrap(), done);
        assert_eq!(stored.list().await, std::slice::from_ref(&done));

        let downloaded = stored.download(&created.id).await.unwrap();
        let content = done.content.clone().unwrap();
        assert_eq!(content.size_bytes, downloaded.bytes.len() as i64);
        assert_eq!(content.sha256, hex::encode(Sha256::digest(&downloaded.bytes)));
        assert_eq!(downloaded.header.file_name, done.file_name);
        assert!(downloaded.bytes.len() > 8 << 20, "two parts");
        open(&stored, &downloaded.bytes);

        assert_eq!(stored.verify(&created.id).await.unwrap(), [i32::from(VerifyOutcome::Passed); 4]);
        let verified = stored.get(&created.id).await.unwrap().verification.unwrap();
        assert!(verified.ok && verified.destination == "offsite", "{verified:?}");
        assert_eq!(verified.levels.len(), 4);
        stored.until_pinned(&created.id, Some(&[KID])).await;
        for event in ["backup.created", "backup.downloaded", "backup.verified"] {
            let event = stored.vault().wait_for(event).await;
            assert_eq!((event.outcome(), &event.target), (AuditOutcome::Success, &done.file_name));
        }
    }
}

/// Opens the seal with the recovery key and verifies the whole archive.
fn open(stored: &Stored, file: &[u8]) {
    let mut sealed = Cursor::new(file);
    let header = Header::read(&mut sealed).unwrap();
    let unlocked = header.unlock(&[Identity::X25519(stored.service.recovery())]).unwrap();
    let mut zip = Vec::new();
    SealReader::open(sealed, &unlocked).unwrap().read_to_end(&mut zip).unwrap();
    let mut archive = ArchiveReader::open(Cursor::new(zip), Limits::V1).unwrap();
    verify(&mut archive, &mut |_| {}).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_prevents_deletion_and_an_undelete_brings_everything_back() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let id = stored.available().await.id;
        let files = stored.files();
        assert!(stored.hold(&id).await.unwrap().hold);
        let refused = stored.delete(&id).await.unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::FailedPrecondition, "BACKUP_HELD"));
        assert!(!stored.release(&id).await.unwrap().hold);
        let deleted = stored.delete(&id).await.unwrap();
        assert_eq!(deleted.state(), BackupState::Deleted);
        let (from, until) = (deleted.delete_time.unwrap(), deleted.purge_time.unwrap());
        assert_eq!(until.seconds - from.seconds, 7 * 24 * 3600);
        for refused in [stored.download(&id).await.err(), stored.hold(&id).await.err()] {
            assert_eq!(reason_of(&refused.unwrap()), "BACKUP_DELETED");
        }
        // The sidecar records the deletion too, and all files stay.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(stored.files(), files);
        let back = stored.undelete(&id).await.unwrap();
        assert_eq!(back.state(), BackupState::Available);
        assert!(back.delete_time.is_none() && back.purge_time.is_none());
        stored.download(&id).await.unwrap();
        stored.until_pinned(&id, Some(&[KID])).await;
        assert!(!stored.vault().pin_steps().contains(&("release", id)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_backup_is_gone_with_its_files_and_its_pins() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "delete_delay_hours = 0").await;
        let kept = stored.available().await;
        let id = stored.available().await.id;
        assert_eq!(stored.files().len(), 4, "two copies, each with its sidecar");
        stored.until_pinned(&id, Some(&[KID])).await;
        let stale = proto::DeleteBackupRequest { id: id.clone(), etag: "\"1\"".into() };
        assert_eq!(stored.client.delete_backup(stale).await.unwrap_err().code(), Code::Aborted);
        stored.delete(&id).await.unwrap();
        stored.until_gone(&id).await;
        stored.until_pinned(&id, None).await;
        stored.until_pinned(&kept.id, Some(&[KID])).await;
        assert_eq!(stored.files().len(), 2);
        let gone = stored.get(&id).await.unwrap_err();
        assert_eq!((gone.code(), reason_of(&gone).as_str()), (Code::NotFound, "BACKUP_NOT_FOUND"));
        for refused in [stored.download(&id).await.err(), stored.verify(&id).await.err()] {
            assert_eq!(reason_of(&refused.unwrap()), "BACKUP_NOT_FOUND");
        }
        assert_eq!(stored.list().await.len(), 1);
        assert!(kept.copies.iter().all(|copy| copy.state() == BackupCopyState::Stored));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_has_lost_the_pins_has_them_again_after_the_next_start() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let (kept, deleted) = (stored.available().await.id, stored.available().await.id);
        stored.until_pinned(&deleted, Some(&[KID])).await;
        stored.delete(&deleted).await.unwrap();
        stored.vault().forget_pins();
        let stored = stored.restarted(|_| ()).await;
        stored.until_pinned(&kept, Some(&[KID])).await;
        stored.until_pinned(&deleted, Some(&[KID])).await;
    }
}
