//! Schedules at a glance, for metrics.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_runtime::Metrics;
use strongroom_runtime::metrics::{Kind, Sample};

use super::View;
use super::cron::delay;
use crate::backups::record::{Content, from_json};
use crate::store::{BackupState, StoredBackup};

/// What was seen of a schedule.
#[derive(Debug, Clone)]
struct Seen {
    name: String,
    is_paused: bool,
    is_orphan: bool,
    is_failing: bool,
    /// Its newest stored backup has less than those before it.
    is_odd: bool,
    /// When the next run begins at the latest.
    next: Option<i64>,
    last_success: Option<i64>,
}

impl Seen {
    fn of(view: &View) -> Self {
        let View { row, rules, ended, stored, .. } = view;
        let waits = !row.paused && row.due_time != i64::MAX;
        let has_failed = ended.as_ref().is_some_and(|ended| ended.row.state == BackupState::Failed);
        Self {
            name: row.name.clone(),
            is_paused: row.paused,
            is_orphan: row.orphan_time.is_some(),
            is_odd: stored.as_ref().is_some_and(is_odd),
            is_failing: has_failed || !row.reason.is_empty(),
            // Not when it is tried again: what could not begin for a day is late by a day.
            next: waits.then(|| row.due_time + delay(&row.name, row.due_time, rules.jitter)),
            last_success: stored.as_ref().and_then(|backup| backup.row.end_time),
        }
    }
}

/// What was last seen of all schedules.
#[derive(Clone, Default)]
pub(super) struct Overview(Arc<Mutex<Vec<Seen>>>);

impl Overview {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let overview = Self::default();
        overview.expose(metrics);
        overview
    }

    pub(super) fn set(&self, views: &[View]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = views.iter().map(Seen::of).collect();
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
            seen.last_success.map(seconds)
        });
        let help =
            "Whether the schedule's last run has failed, or the one that is due cannot begin (1) or not (0).";
        gauge("strongroom_backup_schedule_failing", help, |seen| Some(flag(seen.is_failing)));
        let help = "Whether the schedule's last backup has less than those before it (1) or not (0).";
        gauge("strongroom_backup_schedule_anomalous", help, |seen| Some(flag(seen.is_odd)));
        let help = "Whether the schedule goes on without its creator (1) or not (0).";
        gauge("strongroom_backup_schedule_orphaned", help, |seen| Some(flag(seen.is_orphan)));
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
