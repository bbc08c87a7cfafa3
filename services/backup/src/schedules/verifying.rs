//! Verifying stored backups of schedules again and again, the least recently verified first, within a budget of bytes a day.
//!
//! A stored backup that nobody reads may be gone or damaged for months. One verification runs at a time for a schedule: its row
//! says since when, so that replicas do not read the same backup twice. One that came to nothing, as where no copy can be reached,
//! is tried again a day later, and does not keep the others from their turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use strongroom_runtime::Clock;

use super::actor::Actor;
use super::rules::{DAY, Rules};
use crate::backups::Rereading;
use crate::backups::record::{Content, from_json};
use crate::error::Result;
use crate::store::{BackupRow, ScheduleRow, Store, Turn};
use crate::vault_client::VaultClient;
use crate::verification::Verifications;

/// Backups of a schedule among which one is chosen.
const CHOICE: i64 = 50;

/// Verifies backups of schedules.
pub(super) struct Verifying {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rereading: Arc<Rereading>,
    pub(super) verifications: Arc<Verifications>,
    /// Bytes that all of a deployment's schedules together have verified in a day. One backup may always be.
    pub(super) budget: i64,
    /// How long a verification may take, in microseconds: after that it counts as gone.
    pub(super) longest: i64,
    /// Backups that this process has begun to verify within a day, and when.
    pub(super) tried: Mutex<HashMap<String, i64>>,
}

impl Verifying {
    /// Verifies what is due, one backup for each schedule. The first failure is returned, after everything else was tried.
    pub(super) async fn look(&self) -> Result<()> {
        let mut ended = Ok(());
        for schedule in self.store.schedules().await? {
            ended = ended.and(self.verify_due(&schedule).await);
        }
        ended
    }

    async fn verify_due(&self, schedule: &ScheduleRow) -> Result<()> {
        let now = self.clock.now_micros();
        let every = Rules::of(schedule)?.verify_every.filter(|_| !schedule.paused);
        let Some(every) = every.filter(|_| !self.is_busy(schedule, now)) else { return Ok(()) };
        let due = self.store.backups_to_verify(&schedule.name, now - every, CHOICE).await?;
        let Some(due) = due.into_iter().find(|backup| self.is_new(&backup.id, now)) else { return Ok(()) };
        if !self.is_within_budget(&due, now).await? || !self.mark(&schedule.name, Some(now)).await? {
            return Ok(());
        }
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(due.id.clone(), now);
        let verified = self.verify(schedule, &due.id).await;
        // A mark that stays, because the process ends here, lapses by itself.
        self.mark(&schedule.name, None).await?;
        verified
    }

    async fn verify(&self, schedule: &ScheduleRow, id: &str) -> Result<()> {
        let caller = Actor::of(&self.vault, schedule, "backup.verify").await?.caller;
        let mut replies = self.rereading.begin(&self.verifications, &caller, id, "").await?;
        // What was found is kept with the backup, and in the audit log.
        while let Some(reply) = replies.next().await {
            if let Err(status) = reply {
                let (name, problem) = (schedule.name.as_str(), status.message());
                tracing::warn!(
                    name,
                    id,
                    problem,
                    "a stored backup was not verified; it is tried again in a day"
                );
            }
        }
        Ok(())
    }

    /// Whether a backup of the schedule is being verified.
    fn is_busy(&self, schedule: &ScheduleRow, now: i64) -> bool {
        schedule.verifying_time.is_some_and(|time| (0..self.longest).contains(&(now - time)))
    }

    /// Whether this process has not tried it within a day.
    fn is_new(&self, id: &str, now: i64) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, time| (0..DAY).contains(&(now - *time)));
        !tried.contains_key(id)
    }

    /// Whether `backup` may be read now, by what was verified within a day.
    async fn is_within_budget(&self, backup: &BackupRow, now: i64) -> Result<bool> {
        let recent = self.store.contents_verified_since(now - DAY).await?;
        let read = recent.iter().map(|content| size(content)).fold(0, i64::saturating_add);
        Ok(read == 0 || read.saturating_add(size(&backup.content)) <= self.budget)
    }

    /// Says in the schedule since when a backup is being verified; false if somebody else has said so, or it is gone.
    async fn mark(&self, name: &str, since: Option<i64>) -> Result<bool> {
        // A run may have begun meanwhile.
        let Some(row) = self.store.schedule(name).await? else { return Ok(false) };
        if since.is_some_and(|now| self.is_busy(&row, now)) {
            return Ok(false);
        }
        Ok(self.store.replace_schedule(&Turn::of(&row, |row| row.verifying_time = since)).await?)
    }
}

/// Of what a backup holds.
fn size(content: &str) -> i64 {
    from_json::<Content>(content).size_bytes
}
