//! The expected runs, from the civil calendar and the times at which replicas checked.

use std::collections::BTreeMap;

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::world::World;
use super::{BEGIN, MADE_UP};
use crate::schedules::cron::delay;
use crate::schedules::rules::Rules;
use crate::store::{BackupRow, BackupState};

const MINUTE: i64 = 60_000_000;

/// The counted runs.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) made: usize,
    pub(super) missed: usize,
    pub(super) made_up: usize,
    pub(super) refused: usize,
}

/// # Panics
/// If a run happened twice, or neither happened nor was made up for.
pub(super) async fn check(world: &World) -> Counted {
    let mut counted = Counted { refused: world.refused, ..Counted::default() };
    let runs = world.runs().await;
    for schedule in world.store.schedules().await.unwrap() {
        let rules = Rules::of(&schedule).unwrap();
        let own: Vec<&BackupRow> =
            runs.iter().filter(|run| run.schedule.as_deref() == Some(&*schedule.name)).collect();
        let by_due: BTreeMap<i64, &BackupRow> = own.iter().map(|run| (run.due_time.unwrap(), *run)).collect();
        assert_eq!(by_due.len(), own.len(), "no due time has two runs");
        let expected: Vec<i64> =
            due_times(&rules).into_iter().filter(|due| *due < schedule.due_time).collect();
        for due in by_due.keys().filter(|due| **due % MINUTE == 0) {
            assert!(expected.contains(due), "{due} of {} was not due", schedule.name);
        }
        for due in &expected {
            if by_due.contains_key(due) {
                counted.made += 1;
                continue;
            }
            counted.missed += 1;
            let begins = due + delay(&schedule.name, *due, rules.jitter);
            let looked = world.looks.iter().find(|look| **look >= begins).unwrap();
            let latest = *expected.iter().rev().find(|other| **other <= *looked).unwrap();
            assert!(latest > *due && by_due.contains_key(&latest), "{due} of {} is missing", schedule.name);
        }
        for (due, run) in &by_due {
            let died = run.state == BackupState::Failed && run.reason == "PROCESS_DIED";
            if died && due % MINUTE == 0 {
                let followed = by_due.range(due + 1..).next();
                assert!(followed.is_some(), "{due} of {} died, and nothing followed", schedule.name);
            }
            counted.made_up += usize::from(due % MINUTE == MADE_UP);
        }
    }
    counted
}

/// The due times, computed from the calendar: each day at half past two, or every eight hours at seven minutes past.
fn due_times(rules: &Rules) -> Vec<i64> {
    let zone = rules.zone().unwrap();
    let is_daily = rules.cron.starts_with("30");
    let (hours, minute): (&[i8], i8) = if is_daily { (&[2], 30) } else { (&[0, 8, 16], 7) };
    let first = Timestamp::from_microsecond(BEGIN).unwrap().to_zoned(zone.clone()).date();
    let days = (0..740).map(|day| first.checked_add(day.days()).unwrap());
    let times = days.flat_map(|day| hours.iter().map(move |hour| day.at(*hour, minute, 0, 0)));
    times.map(|time| instant(&zone, time)).filter(|time| *time > BEGIN).collect()
}

/// The first of two instants, or the end of the gap if there is none.
fn instant(zone: &TimeZone, time: jiff::civil::DateTime) -> i64 {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().unwrap();
    if is_skipped {
        let change = zone.following(earlier - 12.hours()).next().unwrap();
        return change.timestamp().as_microsecond();
    }
    earlier.as_microsecond()
}
