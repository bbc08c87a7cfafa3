//! `CatalogueStore`: backups that need work.

use super::{backup, copy, stores};
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, StoredBackup};

/// The backup `id` in a state, with one copy.
fn stored(id: &str, state: BackupState, copy_state: CopyState) -> StoredBackup {
    let mut stored = backup(id, 10);
    stored.row.state = state;
    stored.copies = vec![CopyRow { state: copy_state, recorded: 1, ..copy(id, "a", 0) }];
    stored
}

fn deleted(id: &str, purge_time: i64) -> StoredBackup {
    let stored = stored(id, BackupState::Deleted, CopyState::Stored);
    StoredBackup { row: BackupRow { purge_time: Some(purge_time), ..stored.row }, ..stored }
}

/// The backup with a record that is newer than the one in its sidecars.
fn edited(stored: StoredBackup) -> StoredBackup {
    StoredBackup { row: BackupRow { record_revision: 2, ..stored.row }, ..stored }
}

#[tokio::test]
async fn only_backups_with_pending_work_are_returned_oldest_first() {
    use BackupState::{Available, Creating, Deleting, Failed, Unverified};
    let tended = [
        deleted("1 purge", 100),
        stored("2 abort", Failed, CopyState::Aborting),
        stored("3 delete", Available, CopyState::Deleting),
        stored("4 last step", Deleting, CopyState::Deleted),
        edited(stored("5 record", Available, CopyState::Stored)),
        edited(deleted("6 record", 101)),
    ];
    let left_alone = [
        deleted("7", 101),
        stored("8", Available, CopyState::Stored),
        stored("9", Creating, CopyState::Uploading),
        edited(stored("a", Available, CopyState::Failed)),
        edited(stored("b", Creating, CopyState::Stored)),
        edited(stored("c", Unverified, CopyState::Stored)),
        stored("d", Failed, CopyState::Failed),
    ];
    for (_database, store) in stores().await {
        for stored in tended.iter().rev().chain(&left_alone) {
            assert!(store.adopt_backup(stored).await.unwrap());
        }
        assert_eq!(store.backups_to_tend(100, 20).await.unwrap(), tended);
        assert_eq!(store.backups_to_tend(100, 2).await.unwrap(), tended[..2]);
        assert_eq!(store.backups_to_tend(99, 1).await.unwrap(), tended[1..2]);
    }
}
