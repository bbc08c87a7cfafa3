//! A summary of schedules, for metrics, the page and `GetStatus`.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_runtime::Metrics;
use strongroom_runtime::metrics::{Kind, Sample};

use super::View;
use super::cron::delay;
use crate::backups::record::{Content, Verified, from_json};
use crate::store::{BackupState, DrillRow, DrillState, StoredBackup};

/// The last observed state of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// The state in one word.
    pub(crate) state: &'static str,
    is_paused: bool,
    is_orphan: bool,
    is_failing: bool,
    /// Its newest stored backup has less content than earlier ones.
    is_odd: bool,
    /// One of its last runs has a stored backup that failed its last verification.
    is_damaged: bool,
    /// When the next run should begin, even if something prevents it.
    next: Option<i64>,
    /// When the next run actually begins.
    pub(crate) next_start: Option<i64>,
    pub(crate) last_stored: Option<i64>,
    /// When the newest backup that passed its last verification was stored.
    pub(crate) last_verified: Option<i64>,
    /// The newest drill that determined whether the backup restores.
    pub(crate) drill: Option<DrillRow>,
    /// When the next drill should begin, if the schedule has drills.
    next_drill: Option<i64>,
    next_verification: Option<i64>,
    /// Its last runs, oldest first.
    pub(crate) runs: Vec<Run>,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) time: i64,
    pub(crate) fate: Fate,
    /// The reason of a failure.
    pub(crate) reason: String,
}

/// The end of a run, and the current state of its backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Failed,
    Stored,
    Verified,
    Damaged,
}

impl Seen {
    fn of(view: &View, last_runs: &[StoredBackup]) -> Self {
        let View { row, rules, ended, stored, verdict, .. } = view;
        let waits = !row.paused && row.due_time != i64::MAX;
        let has_failed = ended.as_ref().is_some_and(|ended| ended.row.state == BackupState::Failed);
        let verified = last_runs.iter().find(|backup| fate(backup) == Fate::Verified);
        let damaged = last_runs.iter().any(|backup| fate(backup) == Fate::Damaged);
        Self {
            name: row.name.clone(),
            state: view.state(),
            is_paused: row.paused,
            is_orphan: row.orphan_time.is_some(),
            is_odd: stored.as_ref().is_some_and(is_odd),
            is_failing: has_failed || !row.reason.is_empty(),
            is_damaged: damaged,
            // Not the time of the next attempt: a run that could not begin for a day is a day late.
            next: waits.then(|| row.due_time + delay(&row.name, row.due_time, rules.jitter)),
            next_start: waits.then_some(row.start_time),
            last_stored: stored.as_ref().and_then(|backup| backup.row.end_time),
            last_verified: verified.and_then(|backup| backup.row.end_time),
            drill: verdict.clone(),
            next_drill: view.next_drill(),
            next_verification: view.next_verification(),
            runs: last_runs.iter().rev().map(Run::of).collect(),
        }
    }
}

impl Run {
    fn of(backup: &StoredBackup) -> Self {
        Self { time: backup.row.create_time, fate: fate(backup), reason: backup.row.reason.clone() }
    }
}

fn fate(backup: &StoredBackup) -> Fate {
    let row = &backup.row;
    match row.state {
        BackupState::Failed => Fate::Failed,
        _ if row.verify_time.is_none() => Fate::Stored,
        _ if from_json::<Verified>(&row.verification).ok => Fate::Verified,
        _ => Fate::Damaged,
    }
}

/// The last observed state of all schedules.
#[derive(Clone, Default)]
pub(crate) struct Overview(Arc<Mutex<Vec<Seen>>>);

impl Overview {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let overview = Self::default();
        overview.expose(metrics);
        overview
    }

    /// Each schedule with its last runs, newest first.
    pub(super) fn set(&self, views: &[(View, Vec<StoredBackup>)]) {
        let seen = views.iter().map(|(view, runs)| Seen::of(view, runs)).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// All schedules, sorted by name.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn expose(&self, metrics: &Metrics) {
        let gauge = |name: &str, help: &str, read: fn(&Seen) -> Option<f64>| {
            let seen = Arc::clone(&self.0);
            metrics.sampled(Kind::Gauge, name, help, &["schedule"], move || {
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let sample = |one: &Seen| Some(Sample { labels: vec![one.name.clone()], value: read(one)? });
                seen.iter().filter_map(sample).collect()
            });
        };
        let help =
            "Time at which the schedule's next run begins, or should have begun, in seconds since the epoch.";
        gauge("strongroom_backup_schedule_next_timestamp_seconds", help, |seen| seen.next.map(seconds));
        let help =
            "Time at which the schedule's newest stored backup was stored, in seconds since the epoch.";
        gauge("strongroom_backup_schedule_last_stored_timestamp_seconds", help, |seen| {
            seen.last_stored.map(seconds)
        });
        let help =
            "Whether the schedule's last run has failed, or the one that is due cannot begin (1) or not (0).";
        gauge("strongroom_backup_schedule_failing", help, |seen| Some(flag(seen.is_failing)));
        let help = "Whether the schedule's last backup has less content than earlier ones (1) or not (0).";
        gauge("strongroom_backup_schedule_anomalous", help, |seen| Some(flag(seen.is_odd)));
        let help = "Whether the schedule continues without its creator (1) or not (0).";
        gauge("strongroom_backup_schedule_orphaned", help, |seen| Some(flag(seen.is_orphan)));
        let help = "Whether a stored backup of the schedule's last runs has failed its last verification (1) or not (0).";
        gauge("strongroom_backup_schedule_damaged", help, |seen| Some(flag(seen.is_damaged)));
        let help = "Time at which a stored backup of the schedule is verified next, or should have been, in seconds since the epoch.";
        gauge("strongroom_backup_schedule_next_verification_timestamp_seconds", help, |seen| {
            seen.next_verification.map(seconds)
        });
        let help = "Whether a check of the schedule's last drill has failed (1) or not (0).";
        gauge("strongroom_backup_schedule_drill_failed", help, |seen| {
            // Only if another drill can clear the failure.
            let drill = seen.drill.as_ref().filter(|_| seen.next_drill.is_some())?;
            Some(flag(drill.state == DrillState::Failed))
        });
        let help = "Time at which the schedule's next drill begins, or should have begun, in seconds since the epoch.";
        gauge("strongroom_backup_schedule_next_drill_timestamp_seconds", help, |seen| {
            seen.next_drill.map(seconds)
        });
        let help = "Whether the schedule is paused (1) or not (0).";
        gauge("strongroom_backup_schedule_paused", help, |seen| Some(flag(seen.is_paused)));
    }
}

fn is_odd(backup: &StoredBackup) -> bool {
    !from_json::<Content>(&backup.row.content).anomalies.is_empty()
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
