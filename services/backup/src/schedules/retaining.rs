//! Removing what a schedule's retention does not want any more.

use std::sync::Arc;

use strongroom_runtime::Clock;

use super::actor::Actor;
use super::history;
use super::retention::{Candidate, Fate, decide};
use super::rules::{Policy, Rules};
use crate::backups::Catalogue;
use crate::backups::record::{Verified, from_json};
use crate::error::{Error, Result};
use crate::store::{BackupFilter, BackupState, ScheduleRow, Store, StoredBackup};
use crate::vault_client::VaultClient;

/// Stored backups of a schedule that are looked at: more than a policy of a thousand days can keep.
const MOST: i64 = 100_000;
/// Failed runs of a schedule that stay in the list.
const FAILED: usize = 100;

/// Removes old backups.
pub(super) struct Retaining {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) catalogue: Catalogue,
}

/// What becomes of a schedule's backups.
pub(crate) struct Outlook {
    /// Newest first, as the fates.
    pub(crate) backups: Vec<StoredBackup>,
    pub(crate) fates: Vec<Fate>,
    /// Why nothing is removed at present.
    pub(crate) suspended: Option<String>,
}

impl Retaining {
    /// What the policy makes of the schedule's backups now; all of them stay without one.
    ///
    /// # Errors
    /// The store's, and [`Error::Defect`].
    pub(super) async fn outlook(&self, schedule: &ScheduleRow, policy: Option<Policy>) -> Result<Outlook> {
        let zone = Rules::of(schedule)?.zone()?;
        let backups = self.of(schedule, BackupState::Available).await?;
        let mut candidates = Vec::with_capacity(backups.len());
        for backup in &backups {
            candidates.push(self.candidate(backup).await?);
        }
        let fates = match policy {
            Some(policy) => decide(policy, &zone, &candidates),
            None => candidates.iter().map(Fate::without_policy).collect(),
        };
        let now = self.clock.now_micros();
        let is_ahead = backups.first().is_some_and(|newest| newest.row.create_time > now);
        let suspended = is_ahead.then(|| {
            "the newest backup is from the future: the clock is wrong, or was when it was made".to_owned()
        });
        Ok(Outlook { backups, fates, suspended })
    }

    /// Deletes what goes. Each deletion is decided anew, because somebody may have deleted others meanwhile.
    ///
    /// # Errors
    /// The vault's and the store's.
    pub(super) async fn retain(&self, schedule: &ScheduleRow) -> Result<()> {
        self.forget_failed(schedule).await?;
        let Some(policy) = Rules::of(schedule)?.retention else { return Ok(()) };
        loop {
            let Outlook { backups, fates, suspended } = self.outlook(schedule, Some(policy)).await?;
            let Some(going) = fates.iter().rposition(|fate| fate.goes).filter(|_| suspended.is_none()) else {
                return Ok(());
            };
            let actor = Actor::of(&self.vault, schedule, "backup.delete").await?;
            let row = &backups[going].row;
            let etag = crate::backups::catalogue::etag(row);
            let because = (etag.as_str(), Some(schedule.name.as_str()));
            match self.catalogue.delete_because(&actor.caller, &row.id, because).await {
                Ok(_) => {
                    tracing::info!(id = row.id, schedule = schedule.name, "retention has deleted a backup");
                }
                // Somebody holds it, has changed it, or restores it: it is looked at again.
                Err(Error::BackupEtag(_) | Error::BackupHeld(_) | Error::BackupNeeded { .. }) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Old failures are removed from the list. They have no files.
    async fn forget_failed(&self, schedule: &ScheduleRow) -> Result<()> {
        let failed = self.of(schedule, BackupState::Failed).await?;
        for old in failed.iter().skip(FAILED).filter(|old| old.copies.is_empty()) {
            self.store.remove_backup(&old.row.id, old.row.revision).await?;
        }
        Ok(())
    }

    async fn of(&self, schedule: &ScheduleRow, state: BackupState) -> Result<Vec<StoredBackup>> {
        let filter =
            BackupFilter { states: vec![state], schedule: schedule.name.clone(), ..BackupFilter::default() };
        self.catalogue.list(&filter, MOST).await
    }

    async fn candidate(&self, backup: &StoredBackup) -> Result<Candidate> {
        let row = &backup.row;
        let verified = (!row.verification.is_empty()).then(|| from_json::<Verified>(&row.verification).ok);
        Ok(Candidate {
            id: row.id.clone(),
            create_time: row.create_time,
            verified,
            held: row.hold,
            needed: self.store.restore_needing(&row.id).await?.is_some(),
        })
    }
}

/// The newest stored backup of the schedule.
pub(super) async fn last_success(store: &dyn Store, name: &str) -> Result<Option<StoredBackup>> {
    history::newest(store, name, &[BackupState::Available, BackupState::Deleted]).await
}
