//! The rules of a schedule, as JSON in its row.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::cron::{self, Cron};
use crate::assembly::ArchiveRequest;
use crate::error::{Error, Result};
use crate::store::ScheduleRow;

/// A schedule's rules. Durations are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    pub(crate) cron: String,
    /// Name in the IANA database; empty means UTC.
    pub(crate) time_zone: String,
    pub(crate) jitter: i64,
    /// Maximum duration of a run once it has begun; if not given, the server's `create_limit_seconds`.
    pub(crate) timeout: Option<i64>,
    pub(crate) include: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) destinations: Vec<String>,
    pub(crate) retention: Option<Policy>,
    /// Interval at which each stored backup is verified again.
    pub(crate) verify_every: Option<i64>,
    /// Interval at which the newest stored backup is drilled.
    pub(crate) drill_every: Option<i64>,
}

/// The number of most recent days, weeks and months of which one backup each stays, and the minimum number of backups
/// that stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) daily: usize,
    pub(crate) weekly: usize,
    pub(crate) monthly: usize,
    /// 0 means 1.
    pub(crate) min: usize,
}

/// Maximum length of a name in bytes.
const LONGEST_NAME: usize = 63;
/// Maximum length of the stored rules, mostly names of tables.
const MOST_BYTES: usize = 16 << 10;
/// Durations in microseconds.
pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 24 * 3600 * SECOND;
const JITTER: RangeInclusive<i64> = 0..=DAY;
const DRILL_EVERY: RangeInclusive<i64> = DAY / 24..=400 * DAY;
const VERIFY_EVERY: RangeInclusive<i64> = DAY / 24..=400 * DAY;
const TIMEOUT: RangeInclusive<i64> = 60 * SECOND..=30 * DAY;

/// Whether it is a valid name of a schedule: 1 to 63 of a-z, 0-9 and -, a letter first.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    begins && name.len() <= LONGEST_NAME && name.bytes().all(is_plain)
}

impl Rules {
    /// # Errors
    /// [`Error::Field`] for invalid rules.
    pub(crate) fn check(&self) -> Result<()> {
        self.clock()?;
        check_length("jitter", Some(self.jitter), &JITTER)?;
        check_length("timeout", self.timeout, &TIMEOUT)?;
        check_length("verify_every", self.verify_every, &VERIFY_EVERY)?;
        check_length("drill_every", self.drill_every, &DRILL_EVERY)?;
        if crate::backups::record::to_json(self).len() > MOST_BYTES {
            let problem =
                format!("make the schedule larger than {MOST_BYTES} bytes; name fewer, or none for all");
            return Err(Error::field("tables", problem));
        }
        Ok(())
    }

    /// The rules of a schedule.
    ///
    /// # Errors
    /// [`Error::Defect`] for rules that no server has written.
    pub(crate) fn of(row: &ScheduleRow) -> Result<Self> {
        serde_json::from_str(&row.rules).map_err(|error| {
            Error::Defect(format!("the rules of the schedule {} cannot be read: {error}", row.name))
        })
    }

    /// The due times of runs.
    ///
    /// # Errors
    /// [`Error::Field`] for an invalid expression or time zone.
    pub(super) fn clock(&self) -> Result<Cron> {
        let zone = self.zone()?;
        Cron::parse(&self.cron, zone).map_err(|problem| Error::field("cron", problem))
    }

    pub(super) fn zone(&self) -> Result<TimeZone> {
        cron::zone(&self.time_zone).map_err(|problem| Error::field("time_zone", problem))
    }

    /// Maximum duration of a run, if given.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.timeout.map(|timeout| Duration::from_micros(timeout.unsigned_abs()))
    }

    /// The contents of each run's archive.
    pub(super) fn request(&self) -> ArchiveRequest {
        let (include, tables) = (self.include.clone(), self.tables.clone());
        ArchiveRequest { include, tables, ..ArchiveRequest::default() }
    }
}

/// In its largest whole unit.
fn shown(length: i64) -> String {
    for (unit, name) in [(DAY, "d"), (DAY / 24, "h"), (60 * SECOND, "min")] {
        if length >= unit && length % unit == 0 {
            return format!("{} {name}", length / unit);
        }
    }
    format!("{} s", length / SECOND)
}

fn check_length(field: &'static str, length: Option<i64>, range: &RangeInclusive<i64>) -> Result<()> {
    if length.is_none_or(|length| range.contains(&length)) {
        return Ok(());
    }
    let (least, longest) = (shown(*range.start()), shown(*range.end()));
    Err(Error::field(field, format!("must be {least} to {longest}")))
}
