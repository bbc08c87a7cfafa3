//! The durable record of a restore while an operation of this process changes its sources.
//!
//! Every write names the operation, so a process that was taken over can no longer record anything. A step is recorded
//! before the next one begins: after a crash, the row shows how far the restore can have got, and the target's own
//! marker shows the rest.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use strongroom_runtime::Clock;
use tokio::sync::Mutex;

use super::Base;
use super::loading::Shared;
use super::record::{Progress, Step, StepName, journal_of};
use crate::backups::record::to_json;
use crate::error::{Error, RestoreError, Result};
use crate::store::{OperationRow, Replaced, RestoreRow, Store};

/// Maximum number of attempts at a change.
const ATTEMPTS: usize = 3;
/// Interval between records of progress.
const PERIOD: Duration = Duration::from_secs(2);

/// Writes a restore's row.
pub(super) struct Journal {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    operation: OperationRow,
    row: Mutex<RestoreRow>,
}

impl Journal {
    /// For `row` as last written.
    pub(super) fn of(base: &Base, operation: &OperationRow, row: RestoreRow) -> Self {
        let (store, clock) = (Arc::clone(&base.store), Arc::clone(&base.clock));
        Self { store, clock, operation: operation.clone(), row: Mutex::new(row) }
    }

    /// Confirms that this operation is still in charge, before a step that takes long or cannot be undone.
    ///
    /// # Errors
    /// As for [`Self::step`].
    pub(super) async fn confirm(&self) -> Result<()> {
        self.change(|_, _| Ok(())).await.map(drop)
    }

    /// Whether a source has completed a step.
    ///
    /// # Errors
    /// [`Error::Defect`] for a row that cannot be read.
    pub(super) async fn has(&self, source: &str, step: StepName) -> Result<bool> {
        Ok(journal_of(&*self.row.lock().await)?.has(source, step))
    }

    /// The last step of a source.
    ///
    /// # Errors
    /// As for [`Self::has`].
    pub(super) async fn last(&self, source: &str) -> Result<Option<StepName>> {
        Ok(journal_of(&*self.row.lock().await)?.last(source))
    }

    /// Records a step.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`RestoreError::Changed`], and the store's errors.
    pub(super) async fn step(&self, source: &str, step: StepName) -> Result<()> {
        self.change(|row, now| add_step(row, now, source, step)).await?;
        Ok(())
    }

    /// Changes the row; `change` also gets the time. Only the operation in charge writes the row, so another revision
    /// comes from this process, by a call whose caller did not wait for the answer.
    ///
    /// # Errors
    /// As for [`Self::step`].
    pub(super) async fn change(
        &self,
        change: impl Fn(&mut RestoreRow, i64) -> Result<()>,
    ) -> Result<RestoreRow> {
        self.write(change, false).await
    }

    /// Changes the state, which begins or ends an attempt, even if a caller wants the attempt to end: that caller
    /// checks the state, and its request to an earlier attempt does not stop this one.
    ///
    /// # Errors
    /// As for [`Self::step`].
    pub(super) async fn change_state(
        &self,
        change: impl Fn(&mut RestoreRow, i64) -> Result<()>,
    ) -> Result<RestoreRow> {
        let change = |row: &mut RestoreRow, now| {
            change(row, now)?;
            let mut journal = journal_of(row)?;
            journal.is_wanted_back = false;
            row.journal = to_json(&journal);
            Ok(())
        };
        self.write(change, true).await
    }

    async fn write(
        &self,
        change: impl Fn(&mut RestoreRow, i64) -> Result<()>,
        is_of_state: bool,
    ) -> Result<RestoreRow> {
        let mut held = self.row.lock().await;
        for _ in 0..ATTEMPTS {
            if !is_of_state {
                check_wanted(&held)?;
            }
            let mut row = held.clone();
            change(&mut row, self.clock.now_micros())?;
            row.revision += 1;
            match self.store.replace_restore(&row, held.revision, Some(&self.operation)).await? {
                Replaced::Done => {
                    held.clone_from(&row);
                    return Ok(row);
                }
                Replaced::Fenced => return Err(Error::Fenced),
                Replaced::Stale => {
                    let found = self.store.restore(&row.id).await?;
                    let found = found.ok_or(RestoreError::NotFound(row.id))?;
                    // Another operation is in charge now, such as a rollback.
                    if journal_of(&found)?.operation != self.operation.id || !found.state.is_busy() {
                        return Err(RestoreError::Changed(found.id).into());
                    }
                    *held = found;
                }
            }
        }
        Err(RestoreError::Changed(held.id.clone()).into())
    }

    /// Records `progress` periodically while `work` runs.
    pub(super) async fn while_telling<T>(
        &self,
        progress: &Shared,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            error = self.tell(progress) => Err(error),
        }
    }

    /// Checks whether a caller waits for this attempt to end. A failed check is ignored.
    async fn look(&self) -> Result<()> {
        let id = self.row.lock().await.id.clone();
        match self.store.restore(&id).await {
            Ok(Some(row)) => check_wanted(&row),
            _ => Ok(()),
        }
    }

    async fn tell(&self, progress: &Shared) -> Error {
        let mut told = Progress::default();
        loop {
            tokio::time::sleep(PERIOD).await;
            if let Err(error) = self.look().await {
                return error;
            }
            let now = progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if now == told {
                continue;
            }
            told.clone_from(&now);
            let recorded = self.change(|row, _| {
                row.progress = to_json(&now);
                Ok(())
            });
            if let Err(error) = recorded.await {
                return error;
            }
        }
    }
}

/// Stops an attempt that is no longer wanted.
fn check_wanted(row: &RestoreRow) -> Result<()> {
    if journal_of(row)?.is_wanted_back {
        return Err(RestoreError::WantedBack(row.id.clone()).into());
    }
    Ok(())
}

/// Adds a step to a row.
pub(super) fn add_step(row: &mut RestoreRow, time: i64, source: &str, step: StepName) -> Result<()> {
    let mut journal = journal_of(row)?;
    journal.steps.push(Step { time, source: source.to_owned(), step });
    row.journal = to_json(&journal);
    Ok(())
}
