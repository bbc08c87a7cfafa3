//! Decides which backups of a schedule stay: grandfather, father, son.
//!
//! The result depends only on the existing backups and the policy, not on the current time. So a clock that is wrong at
//! this moment removes nothing that a correct one would not have removed. If the newest backup is dated in the future,
//! nothing is removed (`retaining`).

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rules::Policy;

/// The properties of a stored backup that retention uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) file_name: String,
    /// The etag as read.
    pub(crate) etag: String,
    pub(crate) create_time: i64,
    /// Result of its last verification; `None` before the first.
    pub(crate) verified: Option<bool>,
    pub(crate) held: bool,
    /// Whether a restore needs it.
    pub(crate) needed: bool,
}

/// The decision about a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) goes: bool,
    /// The reasons, in the terms of `PreviewRetentionResponse`.
    pub(crate) reasons: Vec<String>,
}

/// The decision for each of `backups`, which are all stored, and sorted newest first. Days are those of `zone`.
pub(crate) fn decide(policy: Policy, zone: &TimeZone, backups: &[Candidate]) -> Vec<Fate> {
    let floor = policy.min.max(1);
    let has_enough = backups.iter().filter(|backup| backup.counts()).count() >= floor;
    let last_verified = backups.iter().position(|backup| backup.verified == Some(true));
    let mut rules = [
        Rule::new("daily", policy.daily, "%Y-%m-%d"),
        Rule::new("weekly", policy.weekly, "%G-W%V"),
        Rule::new("monthly", policy.monthly, "%Y-%m"),
    ];
    let mut counted = 0;
    let decided = backups.iter().enumerate().map(|(at, backup)| {
        let mut stays: Vec<String> = Vec::new();
        let mut keep = |reason: &str, holds: bool| stays.extend(holds.then(|| reason.to_owned()));
        keep("held", backup.held);
        keep("needed by a restore", backup.needed);
        keep("last verified", last_verified == Some(at));
        if backup.counts() {
            counted += 1;
            keep("min", counted <= floor);
            stays.extend(rules.iter_mut().filter_map(|rule| rule.keeps(backup.create_time, zone)));
        } else {
            // It may open after all, once a key is restored, and is better than nothing.
            keep("min", !has_enough);
        }
        Fate::of(backup, stays)
    });
    decided.collect()
}

impl Candidate {
    /// Whether it counts as good.
    fn counts(&self) -> bool {
        self.verified != Some(false)
    }
}

impl Fate {
    /// For a schedule that keeps everything.
    pub(crate) fn without_policy() -> Self {
        Self { goes: false, reasons: vec!["no retention".to_owned()] }
    }

    fn of(backup: &Candidate, stays: Vec<String>) -> Self {
        let goes = stays.is_empty();
        let failed = (!backup.counts()).then(|| "failed verification".to_owned());
        let mut reasons: Vec<String> = failed.into_iter().chain(stays).collect();
        if reasons.is_empty() {
            reasons.push("no rule".to_owned());
        }
        Self { goes, reasons }
    }
}

/// One period of the policy.
struct Rule {
    name: &'static str,
    left: usize,
    format: &'static str,
    seen: HashSet<String>,
}

impl Rule {
    fn new(name: &'static str, count: usize, format: &'static str) -> Self {
        Self { name, left: count, format, seen: HashSet::new() }
    }

    /// The reason to keep a backup of this time, if there is one: it is the newest of its period, while the rule has
    /// periods left.
    fn keeps(&mut self, time: i64, zone: &TimeZone) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let zoned = Timestamp::from_microsecond(time).ok()?.to_zoned(zone.clone());
        let period = zoned.strftime(self.format).to_string();
        if !self.seen.insert(period.clone()) {
            return None;
        }
        self.left -= 1;
        Some(format!("{} {period}", self.name))
    }
}

#[cfg(test)]
mod tests;
