//! Removes the backups that a schedule's retention does not keep.

use std::sync::Arc;

use strongroom_runtime::Clock;

use super::actor::Actor;
use super::retention::{Candidate, Fate, decide};
use super::rules::{Policy, Rules};
use crate::backups::Catalogue;
use crate::backups::catalogue::etag;
use crate::backups::record::{Verified, from_json};
use crate::error::{Error, Result};
use crate::store::{BackupFilter, BackupState, CopyState, ScheduleRow, Store, StoredBackup};
use crate::vault_client::VaultClient;

/// Number of backups that are read, or deleted, at a time.
const PAGE: i64 = 200;
/// Number of failed runs of a schedule that stay in the list.
const FAILED: usize = 100;

/// Removes old backups.
pub(super) struct Retaining {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) catalogue: Catalogue,
}

/// The effect of retention on a schedule's backups.
pub(crate) struct Outlook {
    /// Newest first.
    pub(crate) fates: Vec<(Candidate, Fate)>,
    /// The reason why nothing is removed at present.
    pub(crate) suspended: Option<String>,
}

impl Retaining {
    /// The effect of the policy on the schedule's stored backups now; without a policy, all of them stay.
    ///
    /// # Errors
    /// The store's errors, and [`Error::Defect`].
    pub(super) async fn outlook(&self, schedule: &ScheduleRow, policy: Option<Policy>) -> Result<Outlook> {
        let zone = Rules::of(schedule)?.zone()?;
        let mut candidates = self.candidates(&schedule.name).await?;
        let mut fates = Vec::new();
        match policy {
            None => fates.extend(candidates.iter().map(|_| Fate::without_policy())),
            Some(policy) => {
                fates = decide(policy, &zone, &candidates);
                // Look up only the backups that would be removed.
                if self.mark_needed(&mut candidates, &fates).await? {
                    fates = decide(policy, &zone, &candidates);
                }
            }
        }
        let is_ahead = candidates.first().is_some_and(|one| one.create_time > self.clock.now_micros());
        let suspended = is_ahead.then(|| {
            "the newest backup is from the future: the clock is wrong, or was when it was made".to_owned()
        });
        Ok(Outlook { fates: candidates.into_iter().zip(fates).collect(), suspended })
    }

    /// Deletes backups, a page at a time: between two pages, others may have been deleted.
    ///
    /// # Errors
    /// Errors of the vault and the store.
    pub(super) async fn retain(&self, schedule: &ScheduleRow) -> Result<()> {
        self.forget_failed(&schedule.name).await?;
        let policy = Rules::of(schedule)?.retention;
        // A schedule from an archive, running beside the deployment that continues, must not delete backups that both
        // see.
        let Some(policy) = policy.filter(|_| !schedule.paused) else { return Ok(()) };
        loop {
            let Outlook { fates, suspended } = self.outlook(schedule, Some(policy)).await?;
            let going: Vec<Candidate> =
                fates.into_iter().filter(|(_, fate)| fate.goes).map(|(one, _)| one).rev().collect();
            if going.is_empty() || suspended.is_some() {
                return Ok(());
            }
            let mut deleted = 0;
            for one in going.iter().take(PAGE as usize) {
                deleted += usize::from(self.delete(schedule, one).await?);
            }
            if deleted == 0 {
                return Ok(());
            }
        }
    }

    /// Returns false if the backup is held, changed or needed by a restore: it is checked again later.
    async fn delete(&self, schedule: &ScheduleRow, one: &Candidate) -> Result<bool> {
        let actor = Actor::of(&self.vault, schedule, "backup.delete").await?;
        let because = (one.etag.as_str(), Some(schedule.name.as_str()));
        match self.catalogue.delete_because(&actor.caller, &one.id, because).await {
            Ok(_) => {
                tracing::info!(id = one.id, schedule = schedule.name, "retention has deleted a backup");
                Ok(true)
            }
            Err(Error::BackupEtag(_) | Error::BackupHeld(_) | Error::BackupNeeded { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes old failures from the list, once none of their data is left.
    async fn forget_failed(&self, name: &str) -> Result<()> {
        let mut seen = 0;
        let mut old = Vec::new();
        self.each(name, BackupState::Failed, |backup| {
            seen += 1;
            let is_gone = backup.copies.iter().all(|copy| copy.state == CopyState::Failed);
            if seen > FAILED && is_gone {
                old.push((backup.row.id, backup.row.revision));
            }
        })
        .await?;
        for (id, revision) in old {
            self.store.remove_backup(&id, revision).await?;
        }
        Ok(())
    }

    /// Backups that have a stored copy, newest first.
    async fn candidates(&self, name: &str) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::new();
        self.each(name, BackupState::Available, |backup| candidates.extend(candidate(backup))).await?;
        Ok(candidates)
    }

    /// Marks the backups that would be removed but are needed by a restore; returns whether there are any.
    async fn mark_needed(&self, candidates: &mut [Candidate], fates: &[Fate]) -> Result<bool> {
        let mut any = false;
        for (one, _) in candidates.iter_mut().zip(fates).filter(|(_, fate)| fate.goes) {
            one.needed = self.store.restore_needing(&one.id).await?.is_some();
            any |= one.needed;
        }
        Ok(any)
    }

    async fn each(
        &self,
        name: &str,
        state: BackupState,
        mut take: impl FnMut(StoredBackup) + Send,
    ) -> Result<()> {
        let mut filter = BackupFilter::of_schedule(name, &[state]);
        loop {
            let page = self.store.backups(&filter, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            filter.after(last);
            page.into_iter().for_each(&mut take);
        }
    }
}

/// `None` for a backup without any copy: it must not take the place of another one.
fn candidate(backup: StoredBackup) -> Option<Candidate> {
    let is_restorable = backup.is_restorable();
    let row = backup.row;
    is_restorable.then(|| Candidate {
        verified: (!row.verification.is_empty()).then(|| from_json::<Verified>(&row.verification).ok),
        etag: etag(&row),
        create_time: row.create_time,
        held: row.hold,
        needed: false,
        file_name: row.file_name,
        id: row.id,
    })
}
