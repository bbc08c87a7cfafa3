//! Records the end of making a backup in the catalogue, either in the process that makes it or in the heir of a dead
//! one.
//!
//! Each step is retried until it succeeds, because an unfinished backup would stay CREATING forever. If the process
//! stops meanwhile, its heir takes over.

use std::time::Duration;

use super::Base;
use super::pinning::{PINNED, assert_pins};
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::store::{BackupState, CopyState, OperationRow, Replaced};
use strongroom_runtime::failpoint;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Ends the making of backups.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(super) base: Base,
}

impl Ending {
    /// Sets the backup of `operation` to FAILED, unless another process has taken it over. [`super::tending`] is
    /// notified at once, and removes the uploaded data.
    pub(crate) async fn fail(&self, operation: &OperationRow, reason: &str, problem: &str) {
        let id = operation.id.as_str();
        let failed = self.until_done(id, || self.try_fail(operation, reason, problem)).await;
        failpoint::reached("create.failed");
        if failed == Some(false) {
            self.until_done(id, || self.remove_again(id)).await;
        }
        self.base.wake.notify_one();
        // Pins are released only for a backup that this process set to FAILED. Another process that has taken over may
        // have stored the backup, which then needs them. If it is not stored, they expire by themselves, because a
        // backup is pinned permanently only once it is stored.
        if failed == Some(true) {
            self.base.vault.release_pins(id).await;
        }
    }

    /// After making `operation`'s backup: if it is stored, pins its key versions until it is purged. Then ends the
    /// operation.
    pub(crate) async fn complete(&self, operation: &OperationRow) {
        self.until_done(&operation.id, || self.try_complete(operation)).await;
    }

    /// Retries until it succeeds; `None` if the process stops first.
    async fn until_done<T, F: Future<Output = Result<T>>>(
        &self,
        id: &str,
        step: impl Fn() -> F,
    ) -> Option<T> {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.base.shutdown.clone());
        let mut has_said = false;
        loop {
            let error = match step().await {
                Ok(done) => return Some(done),
                Err(error) => error,
            };
            if !std::mem::replace(&mut has_said, true) {
                tracing::warn!(id, %error, "the end of a backup cannot be recorded yet");
            }
            if !backoff.wait().await {
                return None;
            }
        }
    }

    /// Whether the backup of `operation` is stored.
    pub(super) async fn is_stored(&self, operation: &OperationRow) -> Result<bool> {
        let backup = self.base.store.backup(&operation.id).await?;
        Ok(backup.is_some_and(|backup| PINNED.contains(&backup.row.state)))
    }

    /// One attempt of [`Self::fail`], without the pins. Returns false if another process has taken over the operation,
    /// or has ended it.
    ///
    /// # Errors
    /// The store's errors; [`Error::BackupBusy`] if the backup was changed meanwhile.
    pub(crate) async fn try_fail(
        &self,
        operation: &OperationRow,
        reason: &str,
        problem: &str,
    ) -> Result<bool> {
        let Some(mut backup) = self.base.store.backup(&operation.id).await? else { return Ok(false) };
        if backup.row.state != BackupState::Creating {
            return Ok(false);
        }
        let expected = backup.row.revision;
        backup.row.state = BackupState::Failed;
        backup.row.end_time = Some(self.base.clock.now_micros());
        reason.clone_into(&mut backup.row.reason);
        problem.clone_into(&mut backup.row.problem);
        backup.row.progress.clear();
        backup.row.revision += 1;
        for copy in &mut backup.copies {
            if matches!(copy.state, CopyState::Uploading | CopyState::Stored) {
                copy.state = CopyState::Aborting;
            }
        }
        match self.base.store.replace(&backup.row, expected, &backup.copies, Some(operation)).await? {
            Replaced::Done => Ok(true),
            Replaced::Fenced => Ok(false),
            Replaced::Stale => Err(Error::BackupBusy(backup.row.id)),
        }
    }

    /// Makes [`super::tending`] remove the remains of a failed backup once more: this process may have written after
    /// its heir had removed everything, before it learnt that it no longer counts as alive.
    async fn remove_again(&self, id: &str) -> Result<()> {
        let Some(mut backup) = self.base.store.backup(id).await? else { return Ok(()) };
        if backup.row.state != BackupState::Failed {
            return Ok(());
        }
        for copy in backup.copies.iter_mut().filter(|copy| copy.state == CopyState::Failed) {
            copy.state = CopyState::Aborting;
        }
        let expected = backup.row.revision;
        backup.row.revision += 1;
        match self.base.store.replace(&backup.row, expected, &backup.copies, None).await? {
            Replaced::Done | Replaced::Fenced => Ok(()),
            Replaced::Stale => Err(Error::BackupBusy(backup.row.id)),
        }
    }

    /// One attempt of [`Self::complete`].
    ///
    /// # Errors
    /// Errors of the store and the vault.
    pub(crate) async fn try_complete(&self, operation: &OperationRow) -> Result<()> {
        let backup = self.base.store.backup(&operation.id).await?;
        if let Some(backup) = backup.filter(|backup| PINNED.contains(&backup.row.state)) {
            failpoint::reached("create.before_pins");
            assert_pins(self.base.store.as_ref(), &self.base.vault, &backup).await?;
            failpoint::reached("create.after_pins");
        }
        self.base.store.end_operation(operation).await?;
        failpoint::reached("create.ended");
        Ok(())
    }
}
