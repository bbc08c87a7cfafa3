//! Brings the destinations in line with the catalogue: removes aborted uploads, deletes purged backups, and rewrites
//! sidecars after a change.
//!
//! Every step can be repeated, so several replicas may take the same one, and a process may die between any two. If a
//! destination refuses a step, the reason stays in the catalogue, and the step is retried less and less often.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use strongroom_runtime::Shutdown;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Base;
use super::destinations::Problem;
use super::sidecar::{self, sidecar_key};
use crate::error::{Error, Result};
use crate::said::Said;
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, Replaced, StoredBackup};
use strongroom_runtime::failpoint;

/// Interval between checks of the catalogue.
const PERIOD: Duration = Duration::from_secs(5);
/// How long the first check waits for the pins, which are usually asserted by then.
const MOMENT: Duration = Duration::from_secs(2);
/// Number of backups per check.
const BATCH: i64 = 100;
/// Waits after a refusal: each twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Tends stored backups; one instance per process.
pub(super) struct Tending {
    base: Base,
    /// See [`super::pinning::Pinning::done`].
    are_pinned: watch::Receiver<bool>,
}

/// Destinations that were unavailable during one check. They are not tried again in it: each attempt would take half a
/// minute.
type Away = HashSet<String>;

/// For each unsettled backup, the time of its next attempt, and the length of the wait.
type Waits = HashMap<String, (Instant, Duration)>;

impl Tending {
    pub(super) fn new(base: Base, are_pinned: watch::Receiver<bool>) -> Self {
        Self { base, are_pinned }
    }

    /// Checks periodically until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let (mut said, mut waits) = (Said::default(), Waits::new());
        let mut are_pinned = self.are_pinned.clone();
        let pinned = tokio::time::timeout(MOMENT, are_pinned.wait_for(|done| *done));
        let _ = shutdown.unless_begun(pinned).await;
        loop {
            let failed = self.look(&mut waits, shutdown).await.err().map(|error| error.to_string());
            if let Some(error) = said.news(failed) {
                tracing::warn!(error, "cannot update stored backups; retrying");
            }
            let woken = tokio::time::timeout(PERIOD, self.base.wake.notified());
            if shutdown.unless_begun(woken).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self, waits: &mut Waits, shutdown: &Shutdown) -> Result<()> {
        // Backups that wait for their next attempt must not keep others from their first attempt.
        let most = BATCH.saturating_add(waits.len() as i64);
        let backups = self.base.store.backups_to_tend(self.base.clock.now_micros(), most).await?;
        let mut away = Away::new();
        waits.retain(|id, _| backups.iter().any(|backup| backup.row.id == *id));
        for backup in backups {
            let id = backup.row.id.clone();
            if waits.get(&id).is_some_and(|(until, _)| *until > Instant::now()) {
                continue;
            }
            let settled = shutdown.unless_begun(self.settle(backup, &mut away)).await;
            let Some(settled) = settled else { return Ok(()) };
            if settled? {
                waits.remove(&id);
            } else {
                let wait = waits.get(&id).map_or(FIRST_WAIT, |(_, last)| (*last * 2).min(LONGEST_WAIT));
                waits.insert(id, (Instant::now() + wait, wait));
            }
        }
        Ok(())
    }

    /// Does everything that is due for one backup; false if something is left.
    async fn settle(&self, listed: StoredBackup, away: &mut Away) -> Result<bool> {
        // The list may be minutes old.
        let Some(mut backup) = self.base.store.backup(&listed.row.id).await? else { return Ok(true) };
        if backup.row.state == BackupState::Deleted
            && self.may_be_purged(&backup).await?
            && !self.begin_purge(&mut backup).await?
        {
            // It was undeleted or held meanwhile.
            return Ok(true);
        }
        let before = backup.copies.clone();
        let mut is_settled = true;
        for copy in &mut backup.copies {
            if away.contains(&copy.destination) && is_due(&backup.row, copy) {
                is_settled = false;
                continue;
            }
            if let Err(error) = self.settle_copy(&backup.row, copy).await {
                is_settled = false;
                if matches!(&error, Error::Storage(error) if matches!(error.problem, Problem::Unavailable(_)))
                {
                    away.insert(copy.destination.clone());
                }
                report(copy, &error);
            }
        }
        let changed: Vec<CopyRow> =
            backup.copies.iter().filter(|copy| !before.contains(copy)).cloned().collect();
        if !changed.is_empty() && !self.write(&mut backup, &changed).await? {
            self.distrust(&changed).await?;
            return Ok(false);
        }
        if is_settled && backup.row.state == BackupState::Deleting {
            // The pins are not asserted yet: the next check comes soon.
            if !*self.are_pinned.borrow() {
                return Ok(true);
            }
            failpoint::reached("purge.before_pins");
            if let Err(error) = self.base.vault.try_release(&backup.row.id).await {
                let id = backup.row.id.as_str();
                tracing::warn!(id, %error, "a purged backup's key versions cannot be released yet");
                return Ok(false);
            }
            failpoint::reached("purge.after_pins");
            self.base.store.remove_backup(&backup.row.id, backup.row.revision).await?;
            failpoint::reached("purge.removed");
            // A starting process may have set the pins again.
            self.base.vault.release_pins(&backup.row.id).await;
            tracing::info!(id = backup.row.id, file_name = backup.row.file_name, "a backup was purged");
        }
        Ok(is_settled)
    }

    async fn may_be_purged(&self, backup: &StoredBackup) -> Result<bool> {
        let is_due = backup.row.purge_time.is_some_and(|time| time <= self.base.clock.now_micros());
        if !is_due || backup.row.hold {
            return Ok(false);
        }
        // A restore may have started with it while its deletion was being decided.
        Ok(self.base.store.restore_needing(&backup.row.id).await?.is_none())
    }

    /// From here on, it cannot be undeleted.
    async fn begin_purge(&self, backup: &mut StoredBackup) -> Result<bool> {
        failpoint::reached("purge.due");
        backup.row.state = BackupState::Deleting;
        // A missing copy may still have its sidecar.
        let is_left = |copy: &&mut CopyRow| matches!(copy.state, CopyState::Stored | CopyState::Missing);
        for copy in backup.copies.iter_mut().filter(is_left) {
            copy.state = CopyState::Deleting;
        }
        let copies = backup.copies.clone();
        let written = self.write(backup, &copies).await?;
        failpoint::reached("purge.begun");
        Ok(written)
    }

    /// Writes the changes; false if the backup was changed by others meanwhile.
    async fn write(&self, backup: &mut StoredBackup, copies: &[CopyRow]) -> Result<bool> {
        let expected = backup.row.revision;
        backup.row.revision += 1;
        Ok(self.base.store.replace(&backup.row, expected, copies, None).await? == Replaced::Done)
    }

    /// Others have changed the backup while this process wrote sidecars for it, which may be older than theirs: writes
    /// the sidecars again, or removes them if the backup is gone.
    async fn distrust(&self, written: &[CopyRow]) -> Result<()> {
        for copy in written.iter().filter(|copy| copy.state == CopyState::Stored) {
            let Some(now) = self.base.store.backup(&copy.backup_id).await? else {
                let destination = self.base.destinations.get(&copy.destination)?;
                destination.delete(&sidecar_key(&copy.key)).await?;
                continue;
            };
            let is_same = |other: &&CopyRow| other.destination == copy.destination;
            let Some(known) = now.copies.iter().find(is_same) else { continue };
            let row = BackupRow { revision: now.row.revision + 1, ..now.row.clone() };
            let again = CopyRow { recorded: 0, ..known.clone() };
            self.base.store.replace(&row, now.row.revision, &[again], None).await?;
        }
        Ok(())
    }

    async fn settle_copy(&self, row: &BackupRow, copy: &mut CopyRow) -> Result<()> {
        match copy.state {
            CopyState::Aborting => {
                self.remove(copy, CopyState::Failed).await?;
                if row.state == BackupState::Failed {
                    // The backup itself has the reason for its failure; the copy's earlier removal problem is resolved.
                    copy.reason.clear();
                    copy.problem.clear();
                }
                Ok(())
            }
            CopyState::Deleting => self.remove(copy, CopyState::Deleted).await,
            CopyState::Stored if is_due(row, copy) => {
                let destination = self.base.destinations.get(&copy.destination)?;
                sidecar::put(destination, row, copy, &self.base.vault).await?;
                copy.recorded = row.record_revision;
                copy.reason.clear();
                copy.problem.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Removes the upload, the object, and last the sidecar: if a step is refused, a scan can still find the rest.
    async fn remove(&self, copy: &mut CopyRow, then: CopyState) -> Result<()> {
        let destination = self.base.destinations.get(&copy.destination)?;
        if !copy.upload_id.is_empty() {
            destination.abort(&copy.key, &copy.upload_id).await?;
            failpoint::reached("purge.upload");
        }
        destination.delete(&copy.key).await?;
        failpoint::reached("purge.object");
        destination.delete(&sidecar_key(&copy.key)).await?;
        failpoint::reached("purge.sidecar");
        copy.upload_id.clear();
        copy.state = then;
        if then == CopyState::Deleted {
            copy.reason.clear();
            copy.problem.clear();
        }
        Ok(())
    }
}

/// Whether something must be done in the copy's destination.
fn is_due(row: &BackupRow, copy: &CopyRow) -> bool {
    let is_kept = matches!(row.state, BackupState::Available | BackupState::Deleted);
    match copy.state {
        CopyState::Aborting | CopyState::Deleting => true,
        CopyState::Stored => is_kept && copy.recorded < row.record_revision,
        _ => false,
    }
}

/// Stores the problem in the catalogue, and logs it if it is new.
fn report(copy: &mut CopyRow, error: &Error) {
    let problem = error.of_a_copy();
    if copy.problem != problem {
        let (backup, destination, reason) = (&*copy.backup_id, &*copy.destination, error.reason());
        tracing::warn!(backup, destination, reason, %error, "cannot update a copy of a backup; retrying");
    }
    error.reason().clone_into(&mut copy.reason);
    copy.problem = problem;
}
