//! Starts to roll a restore back, also one that another attempt is working on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_runtime::Caller;

use super::check_state;
use crate::backups::record::to_json;
use crate::error::{Error, RestoreError, Result};
use crate::restore::journal::Journal;
use crate::restore::record::{journal_of, request_of};
use crate::restore::rollback::RollingBack;
use crate::restore::{ROLLBACK, Restores};
use crate::store::{RestoreRow, RestoreState};

/// How long a rollback waits for a running attempt of the same restore to end. The attempt checks every two seconds
/// whether it should end.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

impl Restores {
    /// Begins to roll back a restore. A restore that cannot continue is retried periodically, and can be taken over
    /// only between two attempts: a running attempt is told to end, and this call waits for it.
    ///
    /// # Errors
    /// [`RestoreError::State`], [`RestoreError::RollbackExpired`], [`RestoreError::TargetBusy`],
    /// [`RestoreError::Busy`].
    pub(crate) async fn roll_back(
        &self,
        caller: &Caller,
        id: &str,
        discard_changes: bool,
    ) -> Result<RestoreRow> {
        let started = Instant::now();
        loop {
            let begun = Box::pin(self.begin_rollback(caller, id, discard_changes)).await;
            match begun {
                Err(Error::Restore(RestoreError::State { .. } | RestoreError::Changed(_)))
                    if started.elapsed() < LONGEST_ATTEMPT && self.is_tried_again(id).await? =>
                {
                    self.want_back(id).await?;
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                begun => return begun,
            }
        }
    }

    /// Asks a running attempt to end soon, unless it has ended meanwhile.
    async fn want_back(&self, id: &str) -> Result<()> {
        let row = self.get(id).await?;
        let mut journal = journal_of(&row)?;
        if matches!(row.state, RestoreState::Applying | RestoreState::RollingBack) && !journal.is_wanted_back
        {
            journal.is_wanted_back = true;
            let wanted = RestoreRow { journal: to_json(&journal), revision: row.revision + 1, ..row.clone() };
            self.base.store.replace_restore(&wanted, row.revision, None).await?;
        }
        Ok(())
    }

    /// Whether an earlier attempt could not continue.
    async fn is_tried_again(&self, id: &str) -> Result<bool> {
        let row = self.get(id).await?;
        Ok(row.state.is_busy() && !row.problem.is_empty())
    }

    async fn begin_rollback(&self, caller: &Caller, id: &str, discard_changes: bool) -> Result<RestoreRow> {
        let permit = self.rollbacks.admit()?;
        let before = self.get(id).await?;
        let wish = "only a restore that was applied, or cannot continue now, can be rolled back";
        check_state(&before, &[RestoreState::Applied, RestoreState::Resumable], wish)?;
        let is_incomplete = before.state == RestoreState::Resumable;
        let now = self.base.clock.now_micros();
        if !is_incomplete && before.rollback_time.is_none_or(|time| time <= now) {
            let safety_backup = before.safety_backup.clone();
            return Err(RestoreError::RollbackExpired { id: id.to_owned(), safety_backup }.into());
        }
        let request = request_of(&before)?;
        let member = self.membership.current();
        let operation_id = uuid::Uuid::now_v7().to_string();
        let operation = self.operation(caller, &ROLLBACK, (&operation_id, id), &member);
        let begun = (RestoreState::RollingBack, discard_changes);
        let row = self.begin(&before, begun, (&request, &operation)).await?;
        let rolling = RollingBack {
            base: self.base.clone(),
            journal: Arc::new(Journal::of(&self.base, &operation, row.clone())),
            id: id.to_owned(),
            discard_changes,
            is_incomplete,
            request: request.clone(),
        };
        let record = self.record(caller, &ROLLBACK, (&operation, &member), (&request, id));
        self.start(&self.rollbacks, (permit, member, record), operation, rolling.roll_back());
        Ok(row)
    }
}
