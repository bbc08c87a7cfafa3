//! Verifies stored backups of schedules periodically, the least recently verified first, within a daily budget of
//! bytes.
//!
//! A stored backup that nobody reads may be missing or damaged for months. For each schedule, one verification runs at
//! a time: its row has the start time, so replicas do not read the same backup twice. A verification without a result,
//! for example because no copy can be reached, is retried a day later, and does not block the others.

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

/// Number of a schedule's backups among which one is chosen.
const CHOICE: i64 = 50;

/// Verifies backups of schedules.
pub(super) struct Verifying {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rereading: Arc<Rereading>,
    pub(super) verifications: Arc<Verifications>,
    /// Bytes that all schedules of a deployment together may verify in a day. One backup is always allowed.
    pub(super) budget: i64,
    /// Maximum duration of a verification, in microseconds: after that, it counts as lost.
    pub(super) longest: i64,
    /// Backups whose verification this process began within a day, with the start times.
    pub(super) tried: Mutex<HashMap<String, i64>>,
}

impl Verifying {
    /// Verifies one due backup of each schedule. Returns the first failure, after trying everything else.
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
        // If the process ends here, the mark remains and expires by itself.
        self.mark(&schedule.name, None).await?;
        verified
    }

    async fn verify(&self, schedule: &ScheduleRow, id: &str) -> Result<()> {
        let caller = Actor::of(&self.vault, schedule, "backup.verify").await?.caller;
        let mut replies = self.rereading.begin(&self.verifications, &caller, id, "").await?;
        // The result is kept with the backup, and in the audit log.
        while let Some(reply) = replies.next().await {
            if let Err(status) = reply {
                let (name, problem) = (schedule.name.as_str(), status.message());
                tracing::warn!(name, id, problem, "a stored backup was not verified; trying again in a day");
            }
        }
        Ok(())
    }

    /// Whether a backup of the schedule is being verified.
    fn is_busy(&self, schedule: &ScheduleRow, now: i64) -> bool {
        schedule.verifying_time.is_some_and(|time| (0..self.longest).contains(&(now - time)))
    }

    /// Whether this process has not tried the backup within a day.
    fn is_new(&self, id: &str, now: i64) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, time| (0..DAY).contains(&(now - *time)));
        !tried.contains_key(id)
    }

    /// Whether `backup` fits into the budget after the verifications of the last day.
    async fn is_within_budget(&self, backup: &BackupRow, now: i64) -> Result<bool> {
        let recent = self.store.contents_verified_since(now - DAY).await?;
        let read = recent.iter().map(|content| size(content)).fold(0, i64::saturating_add);
        Ok(read == 0 || read.saturating_add(size(&backup.content)) <= self.budget)
    }

    /// Records in the schedule since when a backup is being verified; false if another replica has done so, or the
    /// schedule is gone.
    async fn mark(&self, name: &str, since: Option<i64>) -> Result<bool> {
        // Read the schedule again: a run may have begun meanwhile.
        let Some(row) = self.store.schedule(name).await? else { return Ok(false) };
        if since.is_some_and(|now| self.is_busy(&row, now)) {
            return Ok(false);
        }
        Ok(self.store.replace_schedule(&Turn::of(&row, |row| row.verifying_time = since)).await?)
    }
}

/// Size from a backup's content.
fn size(content: &str) -> i64 {
    from_json::<Content>(content).size_bytes
}
