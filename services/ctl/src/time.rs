//! Times on the command line and on the wire.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// The accepted forms of a duration.
const LENGTH: &str =
    "a length of time in weeks, days, hours, minutes or seconds, such as 2w, 30d, 12h, 15m, 30s or 1h30m";

/// A point in time: absolute, or this long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// RFC 3339.
    At(Timestamp),
    /// `30d`, `12h`, …
    Ago(SignedDuration),
}

/// A point in time: absolute, or after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// RFC 3339.
    At(Timestamp),
    /// `30d`, `12h`, …
    After(SignedDuration),
}

/// When something expires, or that it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// At this time.
    Until(Until),
    /// `never`.
    Never,
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        time_or_length(text, Self::At, Self::Ago)
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        time_or_length(text, Self::At, Self::After)
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        text.parse().map(Self::Until).map_err(|expected: String| format!("{expected}, or never"))
    }
}

fn time_or_length<T>(
    text: &str,
    at: impl Fn(Timestamp) -> T,
    away: impl Fn(SignedDuration) -> T,
) -> Result<T, String> {
    if let Ok(time) = text.parse() {
        return Ok(at(time));
    }
    let away = length(text).map(away);
    away.map_err(|expected| format!("{expected}, or a time such as 2030-01-31T12:00:00Z"))
}

impl Since {
    /// The point in time, if the current time is `now_micros` since the epoch.
    ///
    /// # Errors
    /// When it is before the year -9999.
    pub(crate) fn resolve(self, now_micros: i64) -> anyhow::Result<Timestamp> {
        match self {
            Self::At(time) => Ok(time),
            Self::Ago(age) => Ok(Timestamp::from_microsecond(now_micros)?.checked_sub(age)?),
        }
    }
}

impl Until {
    /// The point in time in whole seconds, if the current time is `now_micros` since the epoch.
    ///
    /// # Errors
    /// When it is after the year 9999.
    pub(crate) fn resolve(self, now_micros: i64) -> anyhow::Result<Timestamp> {
        match self {
            Self::At(time) => Ok(time),
            Self::After(length) => Ok(Timestamp::from_second(now_micros / 1_000_000)?.checked_add(length)?),
        }
    }
}

/// A duration in units of a fixed length, in jiff's friendly or ISO 8601 form. A day has 24 hours.
///
/// # Errors
/// For months and years, whose length depends on the date, and for a negative duration.
pub(crate) fn length(text: &str) -> Result<SignedDuration, String> {
    let fixed = SpanRelativeTo::days_are_24_hours();
    let length = text.parse::<Span>().and_then(|span| span.to_duration(fixed));
    length.ok().filter(|length| !length.is_negative()).ok_or_else(|| format!("expected {LENGTH}"))
}

/// A duration as messages carry it.
pub(crate) fn length_to_wire(length: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: length.as_secs(), nanos: length.subsec_nanos() }
}

pub(crate) use strongroom_api::time::from_jiff as to_wire;

/// RFC 3339 in UTC, whole seconds; empty when unset or out of range.
pub(crate) fn shown(time: Option<&prost_types::Timestamp>) -> String {
    let known = time.and_then(|time| Timestamp::from_second(time.seconds).ok());
    known.map(|time| time.to_string()).unwrap_or_default()
}

/// A duration for people; empty when unset: `40 ms`, `1.8 s`, `3 min 20 s`.
pub(crate) fn shown_length(length: Option<&prost_types::Duration>) -> String {
    let Some(length) = length else { return String::new() };
    let millis = length.seconds.saturating_mul(1000).saturating_add(i64::from(length.nanos) / 1_000_000);
    let seconds = millis / 1000;
    match millis {
        ..1000 => format!("{} ms", millis.max(0)),
        1000..60_000 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60_000..3_600_000 => two((seconds / 60, "min"), (seconds % 60, "s")),
        3_600_000..86_400_000 => two((seconds / 3600, "h"), (seconds % 3600 / 60, "min")),
        _ => two((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
    }
}

/// The larger unit, and the smaller one unless it is zero.
fn two((large, of_large): (i64, &str), (small, of_small): (i64, &str)) -> String {
    match small {
        0 => format!("{large} {of_large}"),
        small => format!("{large} {of_large} {small} {of_small}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ages_and_times() {
        let now = "2030-01-31T00:00:00Z".parse::<Timestamp>().unwrap().as_microsecond();
        for (text, expected) in [
            ("30d", "2030-01-01T00:00:00Z"),
            ("1w", "2030-01-24T00:00:00Z"),
            ("36h", "2030-01-29T12:00:00Z"),
            ("15m", "2030-01-30T23:45:00Z"),
            ("1h30m", "2030-01-30T22:30:00Z"),
            ("0s", "2030-01-31T00:00:00Z"),
            ("2029-05-06T02:00:00+02:00", "2029-05-06T00:00:00Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.resolve(now).unwrap().to_string(), expected, "{text}");
        }
        let until: Until = "30d".parse().unwrap();
        assert_eq!(until.resolve(now).unwrap().to_string(), "2030-03-02T00:00:00Z");
        assert_eq!("never".parse(), Ok(Expiry::Never));
        assert_eq!("30d".parse(), Ok(Expiry::Until(until)));
        assert!("always".parse::<Expiry>().unwrap_err().ends_with("or never"));
        for wrong in ["", "d", "30", "-1d", "1d ago", "1mo", "30é", "2029-05-06T02:00:00", "99999999999d"] {
            let problem = wrong.parse::<Since>().expect_err(wrong);
            assert!(problem.contains("30d, 12h, 15m") && problem.contains("2030-01-31T"), "{problem}");
        }
        assert!("1000000w".parse::<Since>().unwrap().resolve(now).is_err());
    }

    #[test]
    fn lengths() {
        for (text, seconds) in [("0s", 0), ("90m", 5400), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(length_to_wire(length(text).unwrap()).seconds, seconds, "{text}");
        }
        // Other forms of the same duration in jiff.
        for text in ["36h", "1d12h", "1 day, 12 hours", "PT36H"] {
            assert_eq!(length(text).map(|length| length.as_hours()), Ok(36), "{text}");
        }
        for wrong in ["", "h", "7", "-7d", "1mo", "1y", "2030-01-31T12:00:00Z"] {
            let problem = length(wrong).expect_err(wrong);
            assert!(problem.contains("2w, 30d, 12h, 15m, 30s"), "{problem}");
        }
    }

    #[test]
    fn lengths_to_look_at() {
        let shown = |seconds, nanos| shown_length(Some(&prost_types::Duration { seconds, nanos }));
        assert_eq!(shown(0, 40_000_000), "40 ms");
        assert_eq!(shown(0, 999_999_999), "999 ms");
        assert_eq!(shown(1, 890_000_000), "1.8 s");
        assert_eq!(shown(200, 0), "3 min 20 s");
        assert_eq!((shown(180, 0).as_str(), shown(3 * 3600, 0).as_str()), ("3 min", "3 h"));
        assert_eq!((shown(7 * 86_400, 0).as_str(), shown(90_000, 0).as_str()), ("7 d", "1 d 1 h"));
        assert_eq!((shown(-1, 0).as_str(), shown_length(None).as_str()), ("0 ms", ""));
    }

    #[test]
    fn fractions_before_the_epoch_count_upwards() {
        let wire = to_wire("1969-12-31T23:59:59.25Z".parse().unwrap());
        assert_eq!((wire.seconds, wire.nanos), (-1, 250_000_000));
        assert_eq!(shown(Some(&wire)), "1969-12-31T23:59:59Z");
    }
}
