//! What a schedule says, as JSON in its row.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::cron::{self, Cron};
use crate::assembly::ArchiveRequest;
use crate::error::{Error, Result};
use crate::store::ScheduleRow;

/// A schedule's rules. Lengths are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    pub(crate) cron: String,
    /// Of the IANA database; empty means UTC.
    pub(crate) time_zone: String,
    pub(crate) jitter: i64,
    /// From the due time to the end; 0 means the server's limit of an archive.
    pub(crate) timeout: i64,
    pub(crate) include: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) destinations: Vec<String>,
    pub(crate) retention: Option<Policy>,
}

/// How many of the newest days, weeks and months with a backup have one that stays, and how many backups stay at least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) daily: usize,
    pub(crate) weekly: usize,
    pub(crate) monthly: usize,
    /// At least 1.
    pub(crate) min: usize,
}

impl Rules {
    /// Of a schedule.
    ///
    /// # Errors
    /// [`Error::Defect`] for what no server has written.
    pub(crate) fn of(row: &ScheduleRow) -> Result<Self> {
        serde_json::from_str(&row.rules).map_err(|error| {
            Error::Defect(format!("the rules of the schedule {} cannot be read: {error}", row.name))
        })
    }

    /// When runs are due.
    ///
    /// # Errors
    /// [`Error::Field`] for what is no expression, or no time zone.
    pub(super) fn clock(&self) -> Result<Cron> {
        let zone = self.zone()?;
        Cron::parse(&self.cron, zone).map_err(|problem| Error::field("cron", problem))
    }

    pub(super) fn zone(&self) -> Result<TimeZone> {
        cron::zone(&self.time_zone).map_err(|problem| Error::field("time_zone", problem))
    }

    /// The longest that a run may take, where that is given.
    pub(super) fn limit(&self) -> Option<Duration> {
        u64::try_from(self.timeout).ok().filter(|micros| *micros > 0).map(Duration::from_micros)
    }

    /// What each run makes.
    pub(super) fn request(&self) -> ArchiveRequest {
        let (include, tables) = (self.include.clone(), self.tables.clone());
        ArchiveRequest { include, tables, ..ArchiveRequest::default() }
    }
}
