//! Beginning the runs that are due.
//!
//! Every replica looks, and whichever begins a run first has begun it: the transaction that adds the backup also moves the
//! schedule to its next due time, and is refused to a replica that was declared dead or has read an older schedule. So there is no
//! leader, and no lease but that of the operation that a run is ([`crate::membership`]).

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

/// Time before a run that could not begin is tried again, in microseconds.
const RETRY: i64 = 60 * 1_000_000;
/// A run that makes up for one whose process died is due this much later, in microseconds: patterns give whole minutes, so no
/// other run has its due time, and it has no other one after it.
const MADE_UP: i64 = 1;

/// Makes the backup of a run.
#[async_trait]
pub(super) trait Maker: Send + Sync {
    /// Begins it. What becomes of the schedule then may be changed, and is so also where it fails.
    ///
    /// # Errors
    /// [`ScheduleError::Taken`] and [`Error::Fenced`] where nothing was done because this replica may not, and whatever keeps
    /// a backup from beginning.
    async fn begin(&self, schedule: &ScheduleRow, rules: &Rules, run: &mut Run) -> Result<()>;
}

/// Begins runs.
pub(super) struct Running {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) maker: Arc<dyn Maker>,
    /// When a run could last not be made up for.
    pub(super) not_made_up: AtomicI64,
}

/// When a schedule is to run, and what follows.
struct Due<'a> {
    schedule: &'a ScheduleRow,
    cron: &'a Cron,
    jitter: i64,
    /// Of this run.
    time: i64,
}

impl Running {
    /// Begins what is due now. The first failure is returned, after everything else was tried.
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
        // What was missed is made up for by one run, that of the last due time.
        let due = Due { time: latest, ..failed };
        if let Some(going_on) = self.going_on(&schedule.name).await? {
            let overlap = ScheduleError::Overlap { backup: going_on };
            return due.give_up(self, overlap.shape().1, &overlap.to_string()).await;
        }
        let mut run = Run { turn: due.turn(now), due_time: Some(due.time), limit: rules.limit() };
        match self.maker.begin(schedule, &rules, &mut run).await {
            // Another replica has begun it, or this one has no room now.
            Err(Error::Fenced | Error::Schedule(ScheduleError::Taken) | Error::BackupsBusy(_)) | Ok(()) => {
                Ok(())
            }
            Err(error) if is_made(&error) => self.move_on(&run.turn).await,
            Err(error) => self.put_off(schedule, run.turn.schedule.orphan_time, &error).await,
        }
    }

    /// The backup of this due time is there already: a clock was set back, or the schedule was made anew.
    async fn move_on(&self, turn: &Turn) -> Result<()> {
        self.store.replace_schedule(turn).await?;
        Ok(())
    }

    /// Runs once more what a process that died or stopped has left unfinished, unless the next run is due by now.
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
            tracing::warn!(name, %error, "a run whose process died cannot be made up for; it is tried again every minute");
        }
        Ok(())
    }

    /// The id of the schedule's backup that is being made.
    pub(super) async fn going_on(&self, name: &str) -> Result<Option<String>> {
        let making = history::newest(self.store.as_ref(), name, &[BackupState::Creating]).await?;
        Ok(making.map(|backup| backup.row.id))
    }

    /// Says in the schedule why its run has not begun, and tries again later.
    async fn put_off(&self, schedule: &ScheduleRow, orphan_time: Option<i64>, error: &Error) -> Result<()> {
        if schedule.problem != error.to_string() {
            let (name, reason) = (schedule.name.as_str(), error.reason());
            tracing::warn!(name, reason, %error, "the run of a schedule cannot begin; it is tried again every minute");
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
    /// The schedule once this run has begun, or was given up, at `now`.
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
        // After tries that failed, the next run is due already.
        let turn = self.turn(if self.schedule.reason.is_empty() { now } else { self.time });
        let row = history::failed(self.schedule, (self.time, now), (reason, problem));
        match running.store.record_run(&turn, &row).await {
            Err(error) if error.kind() == Kind::Unique => running.move_on(&turn).await,
            Err(error) => Err(error.into()),
            Ok(true) => {
                let name = self.schedule.name.as_str();
                tracing::warn!(name, reason, problem, "a run of a schedule was not made");
                Ok(())
            }
            Ok(false) => Ok(()),
        }
    }
}

/// Whether there is a backup of the schedule and due time.
fn is_made(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == Kind::Unique)
}

#[cfg(test)]
mod tests;
