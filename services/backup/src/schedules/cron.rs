//! The due times of a schedule's runs.
//!
//! They are computed by [`croner`], which follows Vixie cron when the clock changes for daylight saving: the rules are
//! described at `Schedule.cron` in `schedule.proto`. Times are microseconds since the epoch.

use croner::Cron as Pattern;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::rules::SECOND;

/// Maximum length of a pattern in bytes. Lists of all minutes fit.
const LONGEST: usize = 500;

/// A pattern in a time zone.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    pattern: Pattern,
    zone: TimeZone,
}

impl Cron {
    /// # Errors
    /// The pattern's fault, as a sentence without a subject.
    pub(super) fn parse(pattern: &str, zone: TimeZone) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err(format!("must have at most {LONGEST} bytes"));
        }
        let fields = pattern.split_whitespace().count();
        if fields != 5 && !pattern.trim().starts_with('@') {
            return Err(format!(
                "is not a cron expression of five fields, such as \"0 3 * * *\" for every day at three: it has {fields}"
            ));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let parsed = parser.parse(pattern.trim()).map_err(|error| {
            format!(
                "is not a cron expression of five fields, such as \"0 3 * * *\" for every day at three: {error}"
            )
        })?;
        Ok(Self { pattern: parsed, zone })
    }

    /// The first due time after `time`; `None` if there is none within the years that are searched.
    pub(super) fn after(&self, time: i64) -> Option<i64> {
        let from = Timestamp::from_microsecond(time).ok()?.to_zoned(self.zone.clone());
        let next = self.pattern.find_next_occurrence(&from, false).ok()?;
        Some(next.timestamp().as_microsecond())
    }

    /// The last due time at or before `time`.
    pub(super) fn until(&self, time: i64) -> Option<i64> {
        let from = Timestamp::from_microsecond(time).ok()?.to_zoned(self.zone.clone());
        let last = self.pattern.find_previous_occurrence(&from, true).ok()?;
        Some(last.timestamp().as_microsecond())
    }

    /// Whether the next due times after `from` are all more than `length` apart.
    pub(super) fn is_wider_than(&self, length: i64, from: i64) -> bool {
        let mut last = from;
        for at in 0..50 {
            let Some(next) = self.after(last) else { return true };
            if at > 0 && next - last <= length {
                return false;
            }
            last = next;
        }
        true
    }
}

/// The time zone of this name; UTC for an empty one.
///
/// # Errors
/// A sentence without a subject.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() || name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| format!("is not a time zone of the IANA database, such as Europe/Berlin: {name:?}"))
}

/// How long after `due` a run of the schedule `name` begins: less than `jitter`, and the same on every replica.
pub(super) fn delay(name: &str, due: i64, jitter: i64) -> i64 {
    if jitter < SECOND {
        return 0;
    }
    let digest = Sha256::digest(format!("{name}\n{due}"));
    let [a, b, c, d, ..] = digest[..] else { return 0 };
    i64::from(u32::from_be_bytes([a, b, c, d])) % (jitter / SECOND) * SECOND
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn times(pattern: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
        let zone = zone(zone_name).unwrap();
        let cron = Cron::parse(pattern, zone.clone()).unwrap();
        let mut last = from.parse::<Timestamp>().unwrap().as_microsecond();
        let found = (0..count).map(|_| {
            let next = cron.after(last).unwrap();
            assert_eq!(cron.until(next), Some(next));
            assert!(cron.until(next - 1).unwrap() <= last);
            last = next;
            Timestamp::from_microsecond(next)
                .unwrap()
                .to_zoned(zone.clone())
                .strftime("%d %H:%M %Z")
                .to_string()
        });
        found.collect()
    }

    #[test]
    fn a_fixed_hour_that_is_skipped_is_due_at_its_end_and_one_that_is_doubled_once() {
        let spring = times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(spring, ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]);
        let autumn = times("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3);
        assert_eq!(autumn, ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]);
    }

    #[test]
    fn a_wildcard_follows_the_wall_clock() {
        let spring = times("15 * * * *", "America/New_York", "2026-03-08T05:30:00Z", 3);
        assert_eq!(spring, ["08 01:15 EST", "08 03:15 EDT", "08 04:15 EDT"]);
        let autumn = times("15 * * * *", "America/New_York", "2026-11-01T04:30:00Z", 3);
        assert_eq!(autumn, ["01 01:15 EDT", "01 01:15 EST", "01 02:15 EST"]);
    }

    #[test]
    fn a_change_by_half_an_hour_and_one_at_midnight() {
        let autumn = times("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2);
        assert_eq!(autumn, ["05 01:45 +11", "06 01:45 +1030"]);
        let midnight = times("0 0 * * *", "Africa/Cairo", "2026-04-23T00:00:00Z", 2);
        assert_eq!(midnight, ["24 01:00 EEST", "25 00:00 EEST"]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for pattern in
            ["", "* * * *", "0 0 3 * * *", "61 * * * *", "@sometimes", "0 3 * * *\u{e9}", &"*".repeat(501)]
        {
            assert!(Cron::parse(pattern, TimeZone::UTC).is_err(), "{pattern:?}");
        }
        assert!(zone("Europe/Nowhere").is_err() && zone("../etc/passwd").is_err());
        let never = Cron::parse("0 0 30 2 *", TimeZone::UTC).unwrap();
        assert_eq!(never.after(0), None);
    }

    #[test]
    fn the_jitter_is_less_than_its_length_and_spread() {
        let delays: Vec<i64> = (0..1000).map(|due| delay("nightly", due, 600 * SECOND)).collect();
        assert!(delays.iter().all(|delay| (0..600 * SECOND).contains(delay)));
        assert!(
            delays.iter().any(|delay| *delay > 500 * SECOND)
                && delays.iter().any(|delay| *delay < 100 * SECOND)
        );
        assert_eq!(delay("nightly", 7, 0), 0);
    }
}
