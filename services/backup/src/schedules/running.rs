//! Begins due runs.
//!
//! Every replica checks, and the first one to begin a run gets it: the transaction that adds the backup also moves the
//! schedule to its next due time, and it fails for a replica that was declared dead or has read an older version of the
//! schedule. So there is no leader, and no lease except that of the run's operation ([`crate::membership`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use strongroom_runtime::Clock;
use strongroom_store::Kind;

use super::cron::{Cron, delay};
use super::history;
use super::rules::Rules;
use crate::backups::Run;
use crate::error::{Error, Result, ScheduleError};
use crate::store::{BackupRow, BackupState, ScheduleRow, Store, Turn};

/// Time before a run that could not begin is retried, in microseconds.
const RETRY: i64 = 60 * 1_000_000;
/// A run that makes up for one whose process died has a due time this much later, in microseconds. Patterns have whole
/// minutes, so no other run has this due time, and it is not made up for again.
const MADE_UP: i64 = 1;

/// Makes the backup of a run.
#[async_trait]
pub(super) trait Maker: Send + Sync {
    /// Begins it. It may change the schedule's next state in `run`, and that change holds even on failure.
    ///
    /// # Errors
    /// [`ScheduleError::Taken`] and [`Error::Fenced`] if this replica was refused and has done nothing, and any error
    /// that keeps a backup from beginning.
    async fn begin(&self, schedule: &ScheduleRow, rules: &Rules, run: &mut Run) -> Result<()>;
}

/// Begins runs.
pub(super) struct Running {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) maker: Arc<dyn Maker>,
    /// When making up for a run last failed.
    pub(super) not_made_up: AtomicI64,
}

/// A due run of a schedule.
struct Due<'a> {
    schedule: &'a ScheduleRow,
    cron: &'a Cron,
    jitter: i64,
    /// Due time of this run.
    time: i64,
}

impl Running {
    /// Begins the runs that are due now. Returns the first failure, after trying everything else.
    pub(super) async fn look(&self) -> Result<()> {
        let mut ended = Ok(());
        for schedule in self.store.due_schedules(self.clock.now_micros()).await? {
            ended = ended.and(self.run_due(&schedule).await);
        }
        for died in self.store.dead_runs().await? {
            ended = ended.and(self.make_up(died).await);
        }
        ended
    }

    async fn run_due(&self, schedule: &ScheduleRow) -> Result<()> {
        let rules = Rules::of(schedule)?;
        let (cron, now) = (rules.clock()?, self.clock.now_micros());
        let jitter = rules.jitter;
        let latest = cron.until(now).unwrap_or(schedule.due_time).max(schedule.due_time);
        let failed = Due { schedule, cron: &cron, jitter, time: schedule.due_time };
        if !schedule.reason.is_empty() && latest > schedule.due_time {
            return failed.give_up(self, &schedule.reason, &schedule.problem).await;
        }
        // Missed runs are made up for by one run, that of the last due time.
        let due = Due { time: latest, ..failed };
        if let Some(going_on) = self.going_on(&schedule.name).await? {
            let overlap = ScheduleError::Overlap { backup: going_on };
            return due.give_up(self, overlap.shape().1, &overlap.to_string()).await;
        }
        let mut run = Run { turn: due.turn(now), due_time: Some(due.time), limit: rules.limit() };
        match self.maker.begin(schedule, &rules, &mut run).await {
            // Another replica has begun it, or this one has no free permit now.
            Err(Error::Fenced | Error::Schedule(ScheduleError::Taken) | Error::BackupsBusy(_)) | Ok(()) => {
                Ok(())
            }
            Err(error) if is_made(&error) => self.move_on(&run.turn).await,
            Err(error) => self.put_off(schedule, run.turn.schedule.orphan_time, &error).await,
        }
    }

    /// This due time already has a backup: the clock was set back, or the schedule was created again.
    async fn move_on(&self, turn: &Turn) -> Result<()> {
        self.store.replace_schedule(turn).await?;
        Ok(())
    }

    /// Repeats a run that a dead or stopped process left unfinished, unless the next run is already due.
    async fn make_up(&self, died: BackupRow) -> Result<()> {
        let (Some(name), Some(due), now) = (died.schedule, died.due_time, self.clock.now_micros()) else {
            return Ok(());
        };
        let has_waited = now.abs_diff(self.not_made_up.load(Ordering::Relaxed)) >= RETRY.unsigned_abs();
        let schedule = self.store.schedule(&name).await?.filter(|schedule| has_waited && !schedule.paused);
        let Some(schedule) = schedule else { return Ok(()) };
        let rules = Rules::of(&schedule)?;
        if rules.clock()?.until(now) != Some(due) {
            return Ok(());
        }
        let turn = Turn::of(&schedule, |_| {});
        let mut run = Run { turn, due_time: Some(due + MADE_UP), limit: rules.limit() };
        let Err(error) = self.maker.begin(&schedule, &rules, &mut run).await else { return Ok(()) };
        if !matches!(error, Error::Fenced | Error::Schedule(ScheduleError::Taken)) && !is_made(&error) {
            self.not_made_up.store(now, Ordering::Relaxed);
            tracing::warn!(name, %error, "the run of a process that died cannot be repeated; trying again every minute");
        }
        Ok(())
    }

    /// The id of the schedule's backup that is being made.
    pub(super) async fn going_on(&self, name: &str) -> Result<Option<String>> {
        let making = history::newest(self.store.as_ref(), name, &[BackupState::Creating]).await?;
        Ok(making.map(|backup| backup.row.id))
    }

    /// Records in the schedule why its run has not begun, and retries it later.
    async fn put_off(&self, schedule: &ScheduleRow, orphan_time: Option<i64>, error: &Error) -> Result<()> {
        if schedule.problem != error.to_string() {
            let (name, reason) = (schedule.name.as_str(), error.reason());
            tracing::warn!(name, reason, %error, "the run of a schedule cannot begin; trying again every minute");
        }
        let turn = Turn::of(schedule, |row| {
            row.start_time = self.clock.now_micros() + RETRY;
            row.orphan_time = orphan_time;
            error.reason().clone_into(&mut row.reason);
            row.problem = error.to_string();
        });
        self.store.replace_schedule(&turn).await?;
        Ok(())
    }
}

impl Due<'_> {
    /// The schedule after this run has begun, or was given up, at `now`.
    fn turn(&self, now: i64) -> Turn {
        let next = self.cron.after(now.max(self.time)).unwrap_or(i64::MAX);
        Turn::of(self.schedule, |row| {
            row.due_time = next;
            row.start_time = next.saturating_add(delay(&row.name, next, self.jitter));
            row.reason.clear();
            row.problem.clear();
        })
    }

    /// Records a failed backup instead of this run.
    async fn give_up(&self, running: &Running, reason: &str, problem: &str) -> Result<()> {
        let now = running.clock.now_micros();
        // After failed attempts, the next run is already due.
        let turn = self.turn(if self.schedule.reason.is_empty() { now } else { self.time });
        let row = history::failed(self.schedule, (self.time, now), (reason, problem));
        match running.store.record_run(&turn, &row).await {
            Err(error) if error.kind() == Kind::Unique => running.move_on(&turn).await,
            Err(error) => Err(error.into()),
            Ok(true) => {
                let name = self.schedule.name.as_str();
                tracing::warn!(name, reason, problem, "a run of a schedule was given up");
                Ok(())
            }
            Ok(false) => Ok(()),
        }
    }
}

/// Whether the schedule already has a backup of this due time.
fn is_made(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == Kind::Unique)
}

#[cfg(test)]
mod tests;
