//! The catalogue rebuilt from sidecars alone, and the changes that a scan may make.

use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_api::backup::v1::{Backup, BackupCopyState, BackupState, ScanBackupsRequest};
use strongroom_runtime::status::reason_of;
use strongroom_runtime::{Clock as _, SystemClock};

use crate::support::stored::{KINDS, Stored};
use crate::support::vault::KID;
use crate::support::{FakeVault, database};

/// The parts of backups that sidecars record.
fn recorded(backups: Vec<Backup>) -> Vec<Backup> {
    let part = |backup| Backup { etag: String::new(), verification: None, ..backup };
    backups.into_iter().map(part).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalogue_comes_back_with_holds_deletions_contents_and_pins() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let (usual, held, deleted, back) = (
            stored.available().await,
            stored.available().await,
            stored.available().await,
            stored.available().await,
        );
        stored.verify(&usual.id).await.unwrap();
        stored.hold(&held.id).await.unwrap();
        stored.delete(&deleted.id).await.unwrap();
        stored.delete(&back.id).await.unwrap();
        stored.undelete(&back.id).await.unwrap();
        stored.until_recorded(&held, "\"hold\":true").await;
        stored.until_recorded(&deleted, "\"delete_time\":\"").await;
        stored.until_recorded(&back, "\"revision\":3").await;
        let before = recorded(stored.list().await);
        assert_eq!(before.len(), 4);

        let mut stored = stored.forgetful().await;
        assert_eq!(stored.list().await, []);
        stored.vault().forget_pins();
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.added, scan.unverified, scan.missing), (4, 4, 0, 0), "{scan:?}");
        assert_eq!((scan.refused_total, scan.problem.as_str()), (0, ""));
        assert_eq!(recorded(stored.list().await), before);
        for backup in &before {
            stored.until_pinned(&backup.id, Some(&[KID])).await;
        }
        // A second scan changes nothing.
        let again = stored.list().await;
        assert_eq!((stored.scan().await.added, stored.list().await), (0, again));
        assert_eq!(reason_of(&stored.delete(&held.id).await.unwrap_err()), "BACKUP_HELD");
        stored.undelete(&deleted.id).await.unwrap();
        for backup in before {
            stored.download(&backup.id).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_sidecar_is_refused_by_its_signature_and_written_again_where_the_catalogue_knows_better() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let backup = stored.available().await;
        let path = stored.sidecar(&backup);
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to) in
            [("\"hold\":false", "\"hold\":true"), ("\"rows\":", "\"rows\":1"), (KID, "00000000000000ff")]
        {
            std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
            let scan = stored.scan().await;
            assert_eq!((scan.found, scan.refused_total), (0, 1), "{scan:?}");
            assert!(scan.refused[0].contains("it was changed"), "{scan:?}");
            assert!(!stored.get(&backup.id).await.unwrap().hold);
            stored.until_recorded(&backup, "\"hold\":false").await;
            let again = || std::fs::read_to_string(&path).unwrap();
            while !again().contains(KID) || again().contains("\"rows\":1\"") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        std::fs::write(&path, good.replacen("\"hold\":false", "\"hold\":true", 1)).unwrap();
        let mut stored = stored.forgetful().await;
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.added, scan.refused_total), (0, 0, 1), "{scan:?}");
        assert_eq!(stored.list().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_of_an_unknown_signer_has_no_effect_until_its_signer_is_known() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let (held, deleted) = (stored.available().await, stored.available().await);
        stored.hold(&held.id).await.unwrap();
        stored.delete(&deleted.id).await.unwrap();
        stored.until_recorded(&held, "\"hold\":true").await;
        stored.until_recorded(&deleted, "\"delete_time\":\"").await;
        let before = recorded(stored.list().await);
        let (former, other) = (stored.vault().clone(), FakeVault::start().await);
        let mut stored = stored.forgetful().await.beside(other).await;

        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.added, scan.unverified, scan.missing), (0, 2, 2, 0), "{scan:?}");
        for backup in stored.list().await {
            assert_eq!(backup.state(), BackupState::Unverified);
            assert!(
                !backup.hold && backup.delete_time.is_none() && backup.purge_time.is_none(),
                "{backup:?}"
            );
            let id = backup.id.as_str();
            // After a total loss nothing else is left, so it can be read, and therefore restored.
            let _ = stored.download(id).await.unwrap();
            for refused in
                [stored.hold(id).await.err(), stored.delete(id).await.err(), stored.undelete(id).await.err()]
            {
                assert_eq!(reason_of(&refused.unwrap()), "BACKUP_UNVERIFIED");
            }
        }
        let files = stored.files();
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(stored.files(), files, "nothing tends to them");
        assert!(stored.vault().pins().is_empty(), "{:?}", stored.vault().pins());

        stored.vault().learn(&former);
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.added, scan.unverified), (2, 0, 0), "{scan:?}");
        assert_eq!(recorded(stored.list().await), before);
        for backup in [held, deleted] {
            stored.until_pinned(&backup.id, Some(&[KID])).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_only_the_catalogue_has_stays_and_is_recorded_again() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let backup = stored.available().await;
        let path = stored.sidecar(&backup);
        let without = std::fs::read(&path).unwrap();
        stored.hold(&backup.id).await.unwrap();
        stored.until_recorded(&backup, "\"hold\":true").await;
        std::fs::write(&path, without).unwrap();
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.refused_total), (1, 0), "{scan:?}");
        assert!(stored.get(&backup.id).await.unwrap().hold);
        stored.until_recorded(&backup, "\"hold\":true").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_only_the_sidecar_has_counts() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let backup = stored.available().await;
        stored.hold(&backup.id).await.unwrap();
        stored.until_recorded(&backup, "\"hold\":true").await;
        let held = std::fs::read(stored.sidecar(&backup)).unwrap();
        stored.release(&backup.id).await.unwrap();
        stored.until_recorded(&backup, "\"hold\":false").await;
        std::fs::write(stored.sidecar(&backup), held).unwrap();
        stored.scan().await;
        assert!(stored.get(&backup.id).await.unwrap().hold);
    }
}

/// Two folders, `a` and `b`, scanned in this order, and a backup in both that was deleted and undeleted. The record of
/// its deletion is in `a` again.
async fn brought_back(hold: bool) -> (Stored, Backup, PathBuf) {
    let folder = database::folder().await;
    let places = ["a", "b"].map(|name| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        format!("[[destinations]]\nname = '{name}'\nurl = 'file://{}'\n", place.display())
    });
    let mut stored = Stored::with(folder, None, "delete_delay_hours = 1", &places.concat()).await;
    let backup = stored.available().await;
    let sidecar =
        |place: &str| stored.service.folder.path().join(place).join(format!("{}.json", backup.copies[0].key));
    let (a, b) = (sidecar("a"), sidecar("b"));
    stored.delete(&backup.id).await.unwrap();
    until_has(&a, "\"delete_time\":\"").await;
    let deleted = std::fs::read(&a).unwrap();
    stored.undelete(&backup.id).await.unwrap();
    if hold {
        stored.hold(&backup.id).await.unwrap();
    }
    let last = format!("\"revision\":{}", if hold { 4 } else { 3 });
    for place in [&a, &b] {
        until_has(place, &last).await;
    }
    std::fs::write(&a, deleted).unwrap();
    (stored, backup, a)
}

async fn until_has(path: &Path, text: &str) {
    while !std::fs::read_to_string(path).unwrap().contains(text) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_record_of_a_deletion_does_not_outweigh_a_later_one_elsewhere() {
    for hold in [false, true] {
        let (stored, backup, old) = brought_back(hold).await;
        let mut stored = stored.forgetful().await;
        let request = ScanBackupsRequest::default();
        let scans = stored.client.scan_backups(request).await.unwrap().into_inner().destinations;
        assert_eq!(scans.iter().map(|scan| scan.found).collect::<Vec<_>>(), [1, 1], "{scans:?}");
        let found = stored.get(&backup.id).await.unwrap();
        assert_eq!((found.state(), found.hold), (BackupState::Available, hold), "{found:?}");
        assert_eq!((found.delete_time, found.purge_time), (None, None));
        assert!(found.copies.iter().all(|copy| copy.state() == BackupCopyState::Stored), "{found:?}");
        until_has(&old, "\"delete_time\":null").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scan_finds_deleted_is_not_purged_before_the_other_destinations_can_be_scanned() {
    let (stored, backup, _) = brought_back(false).await;
    let mut stored = stored.forgetful().await;
    let began = SystemClock.now_micros();
    let request = ScanBackupsRequest { destinations: vec!["a".into()] };
    stored.client.scan_backups(request).await.unwrap();
    let found = stored.get(&backup.id).await.unwrap();
    assert_eq!(found.state(), BackupState::Deleted);
    let (day, purge) = (24 * 3600, found.purge_time.unwrap().seconds);
    assert!(purge >= began / 1_000_000 + day, "its own record says an hour: {purge}");
}
