//! The catalogue of stored backups: look-ups, and the changes that callers request.
//!
//! A change is decided from the row as read, and written only if nothing has changed meanwhile; otherwise it is decided
//! again. Its audit event is recorded before it is written: a change that cannot be recorded is not made.
//! [`super::tending`] carries it out in the destinations.

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Caller;

use super::Base;
use super::record::{Content, Selection, from_json};
use crate::assembly::ArchiveRequest;
use crate::error::{Error, Result};
use crate::operation::{Metadata, put};
use crate::store::{BackupFilter, BackupRow, BackupState, CopyRow, CopyState, Replaced, StoredBackup};
use crate::vault_client::VaultClient;

/// Maximum number of attempts at a change. It fails only after ten conflicts.
const ATTEMPTS: usize = 10;

/// Number of newest backups that a search looks through.
const COMPARED: i64 = 100;

#[derive(Clone)]
pub(crate) struct Catalogue {
    base: Base,
    /// How long a deleted backup can be undeleted, in microseconds.
    delay: i64,
}

impl Catalogue {
    pub(super) fn new(base: Base, delay: i64) -> Self {
        Self { base, delay }
    }

    /// # Errors
    /// [`Error::BackupNotFound`].
    pub(crate) async fn get(&self, id: &str) -> Result<StoredBackup> {
        let found = self.base.store.backup(id).await?;
        found.ok_or_else(|| Error::BackupNotFound(id.to_owned()))
    }

    /// Size in bytes of the newest stored backup with the same selection.
    pub(crate) async fn last_size(&self, request: &ArchiveRequest) -> Result<Option<i64>> {
        let filter = BackupFilter { states: vec![BackupState::Available], ..BackupFilter::default() };
        let newest = self.list(&filter, COMPARED).await?;
        let same = |backup: &&StoredBackup| {
            let selection: Selection = from_json(&backup.row.selection);
            selection.include == request.include && selection.tables == request.tables
        };
        Ok(newest.iter().find(same).map(|backup| from_json::<Content>(&backup.row.content).size_bytes))
    }

    /// Newest first, at most `limit`.
    pub(crate) async fn list(&self, filter: &BackupFilter, limit: i64) -> Result<Vec<StoredBackup>> {
        Ok(self.base.store.backups(filter, limit).await?)
    }

    /// The newest backup that can be restored; only of `schedule`, if given.
    pub(crate) async fn newest_restorable(&self, schedule: Option<&str>) -> Result<Option<StoredBackup>> {
        let filter = BackupFilter::of_schedule(schedule.unwrap_or_default(), &[BackupState::Available]);
        let newest = self.list(&filter, COMPARED).await?;
        Ok(newest.into_iter().find(StoredBackup::is_restorable))
    }

    /// Protects a backup from deletion.
    ///
    /// # Errors
    /// [`Error::BackupState`] for one that is deleted or not complete.
    pub(crate) async fn hold(&self, caller: &Caller, id: &str) -> Result<StoredBackup> {
        self.change(id, Some(Change::new(caller, "backup.held")), |backup| match backup.row.state {
            _ if backup.row.hold => Ok(false),
            BackupState::Available => {
                backup.row.hold = true;
                backup.row.record_revision += 1;
                Ok(true)
            }
            _ => Err(refusal(backup, "only an available backup can be held")),
        })
        .await
    }

    /// Ends a hold.
    pub(crate) async fn release(&self, caller: &Caller, id: &str) -> Result<StoredBackup> {
        self.change(id, Some(Change::new(caller, "backup.released")), |backup| {
            if !backup.row.hold {
                return Ok(false);
            }
            backup.row.hold = false;
            backup.row.record_revision += 1;
            Ok(true)
        })
        .await
    }

    /// Deletes a backup after the delay; a failed one at once. `etag` is the backup's, or empty.
    ///
    /// # Errors
    /// [`Error::BackupHeld`], [`Error::BackupNeeded`], [`Error::BackupState`], [`Error::BackupEtag`].
    pub(crate) async fn delete(&self, caller: &Caller, id: &str, etag: &str) -> Result<StoredBackup> {
        self.delete_because(caller, id, (etag, None)).await
    }

    /// The same, naming the schedule whose retention deletes it.
    pub(crate) async fn delete_because(
        &self,
        caller: &Caller,
        id: &str,
        (etag, retention): (&str, Option<&str>),
    ) -> Result<StoredBackup> {
        if let Some(restore) = self.base.store.restore_needing(id).await? {
            return Err(Error::BackupNeeded { id: id.to_owned(), restore });
        }
        let now = self.base.clock.now_micros();
        let mut metadata = Metadata::new();
        if let Some(schedule) = retention {
            put(&mut metadata, "retention", schedule);
        }
        self.change(id, Some(Change { caller, event: "backup.deleted", metadata }), |backup| {
            if !etag.is_empty() && etag != self::etag(&backup.row) {
                return Err(Error::BackupEtag(backup.row.id.clone()));
            }
            match backup.row.state {
                BackupState::Deleted | BackupState::Deleting => Ok(false),
                _ if backup.row.hold => Err(Error::BackupHeld(backup.row.id.clone())),
                BackupState::Failed => {
                    backup.row.state = BackupState::Deleting;
                    backup.row.delete_time = Some(now);
                    backup.row.purge_time = Some(now);
                    Ok(true)
                }
                BackupState::Available => {
                    backup.row.state = BackupState::Deleted;
                    backup.row.delete_time = Some(now);
                    backup.row.purge_time = Some(now.saturating_add(self.delay));
                    backup.row.record_revision += 1;
                    Ok(true)
                }
                BackupState::Creating | BackupState::Unverified => {
                    Err(refusal(backup, "only a stored or failed backup can be deleted"))
                }
            }
        })
        .await
    }

    /// Undoes a deletion.
    ///
    /// # Errors
    /// [`Error::BackupPurging`] once files are being deleted, [`Error::BackupState`].
    pub(crate) async fn undelete(&self, caller: &Caller, id: &str) -> Result<StoredBackup> {
        self.change(id, Some(Change::new(caller, "backup.undeleted")), |backup| match backup.row.state {
            BackupState::Available => Ok(false),
            BackupState::Deleted => {
                backup.row.state = BackupState::Available;
                backup.row.delete_time = None;
                backup.row.purge_time = None;
                backup.row.record_revision += 1;
                Ok(true)
            }
            BackupState::Deleting => Err(Error::BackupPurging(backup.row.id.clone())),
            _ => Err(refusal(backup, "only a deleted backup can be brought back")),
        })
        .await
    }

    /// Records the result of a verification.
    pub(crate) async fn verified(&self, id: &str, verification: &str) -> Result<StoredBackup> {
        let now = self.base.clock.now_micros();
        self.change(id, None, |backup| {
            if backup.row.state == BackupState::Unverified {
                return Ok(false);
            }
            backup.row.verify_time = Some(now);
            verification.clone_into(&mut backup.row.verification);
            Ok(true)
        })
        .await
    }

    /// Reads, decides, and writes if nothing has changed meanwhile. `decide` returns whether there is something to
    /// write; `event` names the caller and the audit event.
    async fn change(
        &self,
        id: &str,
        event: Option<Change<'_>>,
        decide: impl Fn(&mut StoredBackup) -> Result<bool>,
    ) -> Result<StoredBackup> {
        let mut recorded = None;
        let changed = self.try_change(id, event.as_ref(), decide, &mut recorded).await;
        if let (Err(error), Some(change), Some(event)) = (&changed, event, recorded) {
            record_failure(&self.base.vault, change.caller, event, error).await;
        }
        changed
    }

    /// The recorded event stays in `recorded`, whether or not the change succeeds.
    async fn try_change(
        &self,
        id: &str,
        event: Option<&Change<'_>>,
        decide: impl Fn(&mut StoredBackup) -> Result<bool>,
        recorded: &mut Option<ServiceEvent>,
    ) -> Result<StoredBackup> {
        for _ in 0..ATTEMPTS {
            let mut backup = self.get(id).await?;
            let (expected, before) = (backup.row.revision, backup.copies.clone());
            if !decide(&mut backup)? {
                return Ok(backup);
            }
            if let (Some(change), None) = (event, &recorded) {
                let event = change.event_of(&backup.row);
                self.base.vault.record_patiently(&change.caller.principal.delegation, event.clone()).await?;
                *recorded = Some(event);
            }
            backup.row.revision = expected + 1;
            let copies: Vec<CopyRow> =
                backup.copies.iter().filter(|copy| !before.contains(copy)).cloned().collect();
            match self.base.store.replace(&backup.row, expected, &copies, None).await? {
                Replaced::Done => {
                    self.base.wake.notify_one();
                    return Ok(backup);
                }
                Replaced::Stale | Replaced::Fenced => {}
            }
        }
        Err(Error::BackupBusy(id.to_owned()))
    }
}

/// Records that a change has failed whose event already reports success.
pub(crate) async fn record_failure(
    vault: &VaultClient,
    caller: &Caller,
    mut event: ServiceEvent,
    error: &Error,
) {
    let id = uuid::Uuid::now_v7().to_string();
    event.operation_id.clone_from(&id);
    event.outcome = AuditOutcome::Failed.into();
    put(&mut event.metadata, "reason", error.reason());
    if let Err(error) = vault.record_patiently(&caller.principal.delegation, event).await {
        tracing::error!(id, %error, "the audit log records a change that was not made");
    }
}

/// The caller of a change, and its event.
struct Change<'a> {
    caller: &'a Caller,
    event: &'static str,
    metadata: Metadata,
}

impl<'a> Change<'a> {
    fn new(caller: &'a Caller, event: &'static str) -> Self {
        Self { caller, event, metadata: Metadata::new() }
    }

    /// The event, which is recorded before the change.
    fn event_of(&self, row: &BackupRow) -> ServiceEvent {
        let mut metadata = self.metadata.clone();
        put(&mut metadata, "archive_id", row.id.as_str());
        ServiceEvent {
            event: self.event.to_owned(),
            target: row.file_name.clone(),
            metadata,
            trace_id: self.caller.trace_id.clone(),
            outcome: AuditOutcome::Success.into(),
            operation_id: uuid::Uuid::now_v7().to_string(),
        }
    }
}

/// Changes with every change of the backup.
pub(crate) fn etag(row: &BackupRow) -> String {
    format!("\"{}\"", row.revision)
}

/// The error for a backup whose state does not allow reading, holding or deleting it.
fn refusal(backup: &StoredBackup, wish: &'static str) -> Error {
    Error::BackupState { id: backup.row.id.clone(), state: backup.row.state.as_str(), wish }
}

/// The copy to read: the one in `destination`, or the first that is stored.
///
/// # Errors
/// [`Error::BackupState`] for a backup that is neither available nor unverified, [`Error::CopyMissing`].
pub(crate) fn readable_copy<'a>(backup: &'a StoredBackup, destination: &str) -> Result<&'a CopyRow> {
    // An unverified record is not trusted; its reader verifies the archive itself. After a total loss, every backup is
    // unverified until one of them has been restored.
    if !matches!(backup.row.state, BackupState::Available | BackupState::Unverified) {
        return Err(refusal(backup, "only an available or unverified backup can be read"));
    }
    let stored = || backup.copies.iter().filter(|copy| copy.state == CopyState::Stored);
    let copy = stored().find(|copy| destination.is_empty() || copy.destination == destination);
    copy.ok_or_else(|| Error::CopyMissing {
        id: backup.row.id.clone(),
        destination: destination.to_owned(),
        stored: stored().map(|copy| copy.destination.clone()).collect(),
    })
}
