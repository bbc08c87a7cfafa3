//! Beginning the runs that are due.
//!
//! Every replica looks, and whichever begins a run first has begun it: the transaction that adds the backup also moves the
//! schedule to its next due time, and is refused to a replica that was declared dead or has read an older schedule. So there is no
//! leader, and no lease but that of the operation that a run is ([`crate::membership`]).

use std::sync::Arc;

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
    /// Begins it.
    ///
    /// # Errors
    /// [`ScheduleError::Taken`] and [`Error::Fenced`] where nothing was done because this replica may not, and whatever keeps
    /// a backup from beginning.
    async fn begin(&self, schedule: &ScheduleRow, rules: &Rules, run: Run) -> Result<()>;
}

/// Begins runs.
pub(super) struct Running {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) maker: Arc<dyn Maker>,
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
        let run = Run { turn: due.turn(now), due_time: Some(due.time), limit: rules.limit() };
        match self.maker.begin(schedule, &rules, run).await {
            Err(error) if is_taken(&error) => Ok(()),
            Err(error) => self.put_off(schedule, &error).await,
            Ok(()) => Ok(()),
        }
    }

    /// Runs once more what a dead process has left unfinished.
    async fn make_up(&self, died: BackupRow) -> Result<()> {
        let (Some(name), Some(due)) = (died.schedule, died.due_time) else { return Ok(()) };
        let Some(schedule) = self.store.schedule(&name).await?.filter(|schedule| !schedule.paused) else {
            return Ok(());
        };
        let rules = Rules::of(&schedule)?;
        let turn = Turn { schedule: raised(&schedule), expected: schedule.revision };
        let run = Run { turn, due_time: Some(due + MADE_UP), limit: rules.limit() };
        match self.maker.begin(&schedule, &rules, run).await {
            Err(error) if !is_taken(&error) => {
                tracing::warn!(schedule = schedule.name, %error, "a run whose process died cannot be made up for yet");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The id of the schedule's backup that is being made.
    pub(super) async fn going_on(&self, name: &str) -> Result<Option<String>> {
        let making = history::newest(self.store.as_ref(), name, &[BackupState::Creating]).await?;
        Ok(making.map(|backup| backup.row.id))
    }

    /// Says in the schedule why its run has not begun, and tries again later.
    async fn put_off(&self, schedule: &ScheduleRow, error: &Error) -> Result<()> {
        if schedule.problem != error.to_string() {
            let (name, reason) = (schedule.name.as_str(), error.reason());
            tracing::warn!(name, reason, %error, "the run of a schedule cannot begin; it is tried again every minute");
        }
        let put_off = ScheduleRow {
            start_time: self.clock.now_micros() + RETRY,
            reason: error.reason().to_owned(),
            problem: error.to_string(),
            ..raised(schedule)
        };
        let turn = Turn { schedule: put_off, expected: schedule.revision };
        self.store.replace_schedule(&turn).await?;
        Ok(())
    }
}

impl Due<'_> {
    /// The schedule once this run has begun, or was given up, at `now`.
    fn turn(&self, now: i64) -> Turn {
        let next = self.cron.after(now.max(self.time)).unwrap_or(i64::MAX);
        let schedule = ScheduleRow {
            due_time: next,
            start_time: next.saturating_add(delay(&self.schedule.name, next, self.jitter)),
            reason: String::new(),
            problem: String::new(),
            ..raised(self.schedule)
        };
        Turn { schedule, expected: self.schedule.revision }
    }

    /// Records a failed backup instead of this run.
    async fn give_up(&self, running: &Running, reason: &str, problem: &str) -> Result<()> {
        let now = running.clock.now_micros();
        let turn = match self.schedule.reason.is_empty() {
            true => self.turn(now),
            // The next run is due already.
            false => self.turn(self.time),
        };
        let row = history::failed(self.schedule, (self.time, now), (reason, problem));
        match running.store.record_run(&turn, &row).await {
            Err(error) if error.kind() == Kind::Unique => Ok(()),
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

fn raised(schedule: &ScheduleRow) -> ScheduleRow {
    ScheduleRow { revision: schedule.revision + 1, ..schedule.clone() }
}

/// Whether another replica has begun the run, or this one may not.
fn is_taken(error: &Error) -> bool {
    match error {
        Error::Fenced | Error::Schedule(ScheduleError::Taken) => true,
        Error::Store(error) => error.kind() == Kind::Unique,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
