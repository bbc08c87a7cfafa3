//! Applies a sidecar to the catalogue: it can add a backup, a copy or a hold, and takes over the state of a later
//! record, but never removes a hold.

use super::super::destinations::Destination;
use super::super::pinning::assert_pins;
use super::super::record::{Content, Selection, content_of, to_json};
use super::super::sidecar::Record;
use crate::error::Result;
use crate::incoming::shown;
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, Replaced, Store, StoredBackup};
use crate::vault_client::VaultClient;

/// Whether the catalogue already had the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    New,
    Known,
}

/// Applies the records of one destination to the catalogue.
pub(super) struct Adoption<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) vault: &'a VaultClient,
    pub(super) destination: &'a Destination,
    /// A backup that a scan finds deleted is not purged before this time.
    pub(super) not_before: i64,
}

impl Adoption<'_> {
    /// Adopts a record that the vault has signed. `etag` is that of the archive's object.
    pub(super) async fn complete(&self, record: &Record, etag: &str) -> Result<Adopted> {
        let state = if record.delete_time.is_some() { BackupState::Deleted } else { BackupState::Available };
        let mut found = self.found(record, state);
        etag.clone_into(&mut found.copies[0].etag);
        // Another destination may have a later record that undeletes it.
        found.row.purge_time = found.row.purge_time.map(|time| time.max(self.not_before));
        if self.store.adopt_backup(&found).await? {
            assert_pins(self.store, self.vault, &found).await?;
            return Ok(Adopted::New);
        }
        let Some(known) = self.store.backup(&record.archive_id).await? else { return Ok(Adopted::Known) };
        match known.row.state {
            BackupState::Unverified => {
                let row = BackupRow { revision: known.row.revision + 1, ..found.row.clone() };
                self.replace_all(&row, &known, self.instead_of(&known.copies, &found.copies[0])).await?;
                assert_pins(self.store, self.vault, &found).await?;
            }
            BackupState::Available | BackupState::Deleted => self.tighten(record, &known, found).await?,
            // The remains of a failed backup are removed.
            BackupState::Failed => {
                let copy = CopyRow { state: CopyState::Aborting, ..found.copies[0].clone() };
                self.replace(&raised(&known), &known, copy).await?;
            }
            BackupState::Creating | BackupState::Deleting => {}
        }
        Ok(Adopted::Known)
    }

    /// Adopts a record of an unknown signer; `None` if the catalogue has the backup from a record that the vault has
    /// signed. Anybody may have written the record, so only its short fields are listed.
    pub(super) async fn unverified(&self, record: &Record) -> Result<Option<Adopted>> {
        let Content { size_bytes, tables, rows, files, .. } = record.content;
        // A reader compares the archive with this digest, and verifies the archive itself.
        let is_digest =
            |text: &&String| text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let sha256 = Some(&record.content.sha256).filter(is_digest).cloned().unwrap_or_default();
        let content = Content { size_bytes, sha256, tables, rows, files, ..Content::default() };
        let [file_name, creator] = [&record.file_name, &record.creator].map(|text| shown(text));
        let claimed = Record {
            content,
            file_name,
            creator,
            selection: Selection::default(),
            hold: false,
            delete_time: None,
            purge_time: None,
            // An unverified backup is not part of a schedule's history.
            schedule: None,
            ..record.clone()
        };
        let found = self.found(&claimed, BackupState::Unverified);
        if self.store.adopt_backup(&found).await? {
            return Ok(Some(Adopted::New));
        }
        let known = self.store.backup(&record.archive_id).await?;
        let is_verified = known.is_some_and(|known| known.row.state != BackupState::Unverified);
        Ok((!is_verified).then_some(Adopted::Known))
    }

    /// Takes over the state from a later record, a hold from any record, and the copy, and decides whether the sidecar
    /// must be written again. A copy that is being uploaded or removed is left alone.
    async fn tighten(&self, record: &Record, known: &StoredBackup, found: StoredBackup) -> Result<()> {
        let mut row = raised(known);
        if record.revision > known.row.record_revision {
            row.state = found.row.state;
            row.delete_time = found.row.delete_time;
            row.purge_time = found.row.purge_time;
        }
        row.hold |= record.hold;
        if row.hold {
            row.state = BackupState::Available;
            row.delete_time = None;
            row.purge_time = None;
        }
        let known_copy = known.copies.iter().find(|copy| copy.destination == self.destination.name);
        // Somebody has put back an older record.
        let is_older = known_copy.is_some_and(|copy| record.revision < copy.recorded);
        if record.revision > known.row.record_revision || row.hold != known.row.hold || is_older {
            row.record_revision = record.revision.max(known.row.record_revision) + 1;
        }
        let copy = match known_copy {
            Some(copy) if !is_lost(copy) => copy.clone(),
            Some(copy) => CopyRow { position: copy.position, ..found.copies[0].clone() },
            None => CopyRow { position: known.copies.len() as i64, ..found.copies[0].clone() },
        };
        let is_new_copy = known_copy != Some(&copy);
        if is_new_copy || row.record_revision != known.row.record_revision {
            self.replace(&row, known, copy).await?;
        }
        Ok(())
    }

    /// If the backup changes meanwhile, the next scan handles it.
    async fn replace(&self, row: &BackupRow, known: &StoredBackup, copy: CopyRow) -> Result<()> {
        self.replace_all(row, known, vec![copy]).await
    }

    /// The verified copy, and the copies that the unknown signer claimed in other destinations: if they are real, a
    /// scan of their destination finds them.
    fn instead_of(&self, claimed: &[CopyRow], verified: &CopyRow) -> Vec<CopyRow> {
        let elsewhere = claimed.iter().filter(|copy| copy.destination != self.destination.name);
        let mut copies = vec![verified.clone()];
        for (at, copy) in elsewhere.enumerate() {
            copies.push(CopyRow { position: at as i64 + 1, ..missing(copy) });
        }
        copies
    }

    async fn replace_all(&self, row: &BackupRow, known: &StoredBackup, copies: Vec<CopyRow>) -> Result<()> {
        let replaced = self.store.replace(row, known.row.revision, &copies, None).await?;
        if replaced != Replaced::Done {
            tracing::info!(id = row.id, "a backup was changed while it was scanned; scan again");
        }
        Ok(())
    }

    fn found(&self, record: &Record, state: BackupState) -> StoredBackup {
        let row = BackupRow {
            id: record.archive_id.clone(),
            file_name: record.file_name.clone(),
            state,
            creator: record.creator.clone(),
            request: None,
            create_time: record.create_time.as_microsecond(),
            end_time: record.end_time.map(|time| time.as_microsecond()),
            reason: String::new(),
            problem: String::new(),
            selection: to_json(&record.selection),
            content: to_json(&record.content),
            hold: record.hold,
            delete_time: record.delete_time.map(|time| time.as_microsecond()),
            purge_time: record.purge_time.map(|time| time.as_microsecond()),
            verify_time: None,
            verification: String::new(),
            progress: String::new(),
            revision: 1,
            record_revision: record.revision,
            schedule: record.schedule.clone(),
            // Left out: since the catalogue was lost, another run may have been recorded for the same due time.
            due_time: None,
        };
        let copy = CopyRow {
            backup_id: record.archive_id.clone(),
            destination: self.destination.name.clone(),
            position: 0,
            key: record.key.clone(),
            state: CopyState::Stored,
            reason: String::new(),
            problem: String::new(),
            upload_id: String::new(),
            etag: String::new(),
            recorded: record.revision,
        };
        StoredBackup { row, copies: vec![copy] }
    }
}

/// Whether the copy was known not to exist.
fn is_lost(copy: &CopyRow) -> bool {
    matches!(copy.state, CopyState::Missing | CopyState::Failed | CopyState::Deleted)
}

/// The row with the revision of its next change.
fn raised(known: &StoredBackup) -> BackupRow {
    BackupRow { revision: known.row.revision + 1, ..known.row.clone() }
}

/// Updates a copy of `backup` in `destination` whose sidecar was not found, or was refused. If its object exists, the
/// sidecar is written again; otherwise the copy becomes MISSING, and this returns true. For an unverified backup, only
/// the listing exists, and it is removed.
pub(super) async fn unseen(
    store: &dyn Store,
    destination: &Destination,
    backup: &StoredBackup,
) -> Result<bool> {
    let has_it = |copy: &&CopyRow| {
        copy.destination == destination.name && matches!(copy.state, CopyState::Stored | CopyState::Missing)
    };
    let Some(copy) = backup.copies.iter().find(has_it) else { return Ok(false) };
    if backup.row.state == BackupState::Unverified {
        forget(store, backup, copy).await?;
        return Ok(false);
    }
    let size = content_of(&backup.row)?.size_bytes;
    let object = destination.head(&copy.key).await?;
    let is_there = object.is_some_and(|object| i64::try_from(object.size) == Ok(size));
    if copy.state == CopyState::Missing && !is_there {
        return Ok(true);
    }
    let mut row = raised(backup);
    let copy = if is_there {
        row.record_revision += 1;
        let (reason, problem) = (String::new(), String::new());
        CopyRow { state: CopyState::Stored, reason, problem, ..copy.clone() }
    } else {
        missing(copy)
    };
    let replaced = store.replace(&row, backup.row.revision, &[copy], None).await?;
    Ok(!is_there && replaced == Replaced::Done)
}

/// Removes a backup of an unknown signer whose record is gone with `copy`. Only the record described it.
async fn forget(store: &dyn Store, backup: &StoredBackup, copy: &CopyRow) -> Result<()> {
    let is_elsewhere =
        |other: &CopyRow| other.destination != copy.destination && other.state == CopyState::Stored;
    if backup.copies.iter().any(is_elsewhere) {
        store.replace(&raised(backup), backup.row.revision, &[missing(copy)], None).await?;
    } else {
        store.remove_backup(&backup.row.id, backup.row.revision).await?;
    }
    Ok(())
}

/// The copy, marked as not found by a scan.
fn missing(copy: &CopyRow) -> CopyRow {
    CopyRow {
        state: CopyState::Missing,
        reason: "OBJECT_MISSING".to_owned(),
        problem: "a scan did not find it; it was deleted outside this service".to_owned(),
        ..copy.clone()
    }
}
