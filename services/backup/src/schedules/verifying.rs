//! Verifying stored backups of schedules again and again, the least recently verified first, within a budget of bytes a day.
//!
//! A stored backup that nobody reads may be gone or damaged for months. One verification runs at a time for a schedule: its row
//! names the backup that is being verified, so that replicas do not read the same one twice.

use std::sync::Arc;

use futures_util::StreamExt as _;
use strongroom_runtime::Clock;

use super::actor::Actor;
use super::rules::Rules;
use crate::backups::Rereading;
use crate::backups::record::{Content, from_json};
use crate::error::Result;
use crate::store::{BackupFilter, BackupState, ScheduleRow, Store, StoredBackup, Turn};
use crate::vault_client::VaultClient;
use crate::verification::Verifications;

const DAY: i64 = 24 * 3600 * 1_000_000;
/// Stored backups of a schedule that are looked at.
const MOST: i64 = 100_000;

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
        let (every, now) = (Rules::of(schedule)?.verify_every, self.clock.now_micros());
        if every == 0 || schedule.paused || is_busy(schedule, now, self.longest) {
            return Ok(());
        }
        let stored = self.stored(&schedule.name).await?;
        let Some(due) = due(&stored, every, now) else { return Ok(()) };
        if !self.is_within_budget(due, now).await? {
            return Ok(());
        }
        let Some(claimed) = self.mark(schedule, Some((&due.row.id, now))).await? else { return Ok(()) };
        let verified = self.verify(&claimed, due).await;
        // Whatever came of it, somebody may verify the next one; a claim that stays ends by itself.
        self.mark(&claimed, None).await?;
        verified
    }

    async fn verify(&self, schedule: &ScheduleRow, backup: &StoredBackup) -> Result<()> {
        let caller = Actor::of(&self.vault, schedule, "backup.verify").await?.caller;
        let begun = self.rereading.begin(&self.verifications, &caller, &backup.row.id, "").await;
        let mut replies = begun?;
        // What was found is kept with the backup, and in the audit log; a verification that came to nothing is in the log.
        while replies.next().await.is_some() {}
        Ok(())
    }

    async fn stored(&self, name: &str) -> Result<Vec<StoredBackup>> {
        let states = vec![BackupState::Available];
        let filter = BackupFilter { states, schedule: name.to_owned(), ..BackupFilter::default() };
        Ok(self.store.backups(&filter, MOST).await?)
    }

    /// Whether `backup` may be read now, by what was verified within a day.
    async fn is_within_budget(&self, backup: &StoredBackup, now: i64) -> Result<bool> {
        let filter = BackupFilter { states: vec![BackupState::Available], ..BackupFilter::default() };
        let all = self.store.backups(&filter, MOST).await?;
        let recent = all.iter().filter(|other| other.row.verify_time.is_some_and(|time| now - time < DAY));
        let read: i64 = recent.map(size).sum();
        Ok(read == 0 || read.saturating_add(size(backup)) <= self.budget)
    }

    /// Says in the schedule what is being verified since when; `None` if somebody else has changed it.
    async fn mark(
        &self,
        schedule: &ScheduleRow,
        verifying: Option<(&str, i64)>,
    ) -> Result<Option<ScheduleRow>> {
        // A run may have begun meanwhile.
        let Some(now) = self.store.schedule(&schedule.name).await? else { return Ok(None) };
        if now.verifying_id != schedule.verifying_id {
            return Ok(None);
        }
        let (id, time) = verifying.map_or((String::new(), None), |(id, time)| (id.to_owned(), Some(time)));
        let expected = now.revision;
        let marked = ScheduleRow { verifying_id: id, verifying_time: time, revision: expected + 1, ..now };
        let turn = Turn { schedule: marked, expected };
        Ok(self.store.replace_schedule(&turn).await?.then_some(turn.schedule))
    }
}

/// Whether a backup of the schedule is being verified.
fn is_busy(schedule: &ScheduleRow, now: i64, longest: i64) -> bool {
    let is_claimed = !schedule.verifying_id.is_empty();
    is_claimed && schedule.verifying_time.is_some_and(|time| (0..longest).contains(&(now - time)))
}

/// Of those that were not verified for `every`, one that never was, or else the one whose last verification is the longest ago.
fn due(stored: &[StoredBackup], every: i64, now: i64) -> Option<&StoredBackup> {
    let last = |backup: &&StoredBackup| backup.row.verify_time.or(backup.row.end_time).unwrap_or(0);
    let was_verified = |backup: &&StoredBackup| backup.row.verify_time.is_some();
    let old = stored.iter().filter(|backup| now - last(backup) >= every);
    old.min_by_key(|backup| (was_verified(backup), last(backup)))
}

fn size(backup: &StoredBackup) -> i64 {
    from_json::<Content>(&backup.row.content).size_bytes
}
