//! Times that are stored as text or numbers, for `since`.
//!
//! They are compared as times and not as text, whose order depends on zones and notations:
//!
//! - ISO 8601 and its relatives: a date, and after `T` or spaces a time to the minute or finer; then `Z`, `UTC`, `GMT` or an
//!   offset. Without a zone it is UTC. A bare date counts as the end of that day.
//! - A number, or a number stored as text, as in the table. This is the rule of SQLite's modifier `auto`, without its days
//!   before year 1 (<https://www.sqlite.org/lang_datefunc.html>). Eight digits of text that form a date count as a date (ISO
//!   8601's basic form).
//!
//! | number | meaning |
//! |---|---|
//! | 1,721,425.5 (the year 1) to 5,373,484.5 | a Julian day |
//! | 0 to 1,721,425.5 | not a time |
//! | any other | seconds since the Unix epoch; if these are beyond the year 9999, milli-, micro- or nanoseconds |
//!
//! Any other value is kept and counted, because leaving out a wanted row would be worse.

use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

/// The Julian day on which the year 1 begins.
const FIRST_JULIAN_DAY: f64 = 1_721_425.5;
/// The last Julian day that SQLite recognises: the end of the year 9999.
const LAST_JULIAN_DAY: f64 = 5_373_484.5;
/// The Julian day of the Unix epoch.
const EPOCH_JULIAN_DAY: f64 = 2_440_587.5;
/// Seconds from the Unix epoch to the end of the year 9999.
const LAST_SECOND: f64 = 253_402_300_800.0;
const MICROS: f64 = 1e6;

/// Keeps rows at or after a moment, by one column.
pub(crate) struct TimeFilter {
    /// The column's index.
    pub(crate) column: usize,
    /// Microseconds since the Unix epoch.
    from: i64,
    /// Rows kept because their value cannot be read as a time.
    pub(crate) unreadable: u64,
}

impl TimeFilter {
    pub(crate) fn new(column: usize, from: i64) -> Self {
        Self { column, from, unreadable: 0 }
    }

    /// Whether a row with this text is kept.
    pub(crate) fn keeps_text(&mut self, text: &[u8]) -> bool {
        self.keeps(std::str::from_utf8(text).ok().and_then(of_text))
    }

    /// Whether a row with this number is kept.
    pub(crate) fn keeps_number(&mut self, number: f64) -> bool {
        self.keeps(of_number(number))
    }

    /// Whether a row with a value of any other kind is kept.
    pub(crate) fn keeps_unreadable(&mut self) -> bool {
        self.keeps(None)
    }

    fn keeps(&mut self, micros: Option<i128>) -> bool {
        self.unreadable += u64::from(micros.is_none());
        micros.is_none_or(|micros| micros >= self.from.into())
    }
}

/// Microseconds since the Unix epoch, rounded down.
fn of_text(text: &str) -> Option<i128> {
    let text = text.trim();
    let is_basic_date = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(number) if !is_basic_date => of_number(number),
        Ok(number) => of_notation(text).or_else(|| of_number(number)),
        Err(_) => of_notation(text),
    }
}

fn of_notation(text: &str) -> Option<i128> {
    let zulu = ["UTC", "GMT"].iter().find_map(|zone| text.strip_suffix(zone));
    let text = match zulu {
        Some(text) => format!("{}Z", text.trim_end()),
        None => text.replacen(" +", "+", 1).replacen(" -", "-", 1),
    };
    let pieces = Pieces::parse(&text).ok()?;
    let time = pieces.time().unwrap_or(Time::MAX);
    let moment = pieces.date().to_datetime(time);
    let offset = pieces.to_numeric_offset();
    let zone = offset.map_or(TimeZone::UTC, TimeZone::fixed);
    let moment = zone.to_timestamp(moment).ok()?;
    Some(moment.as_nanosecond().div_euclid(1000))
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the year 9999, to the microsecond")]
fn of_number(number: f64) -> Option<i128> {
    if !number.is_finite() {
        return None;
    }
    if (0.0..FIRST_JULIAN_DAY).contains(&number) {
        return None;
    }
    if (FIRST_JULIAN_DAY..LAST_JULIAN_DAY).contains(&number) {
        return Some(((number - EPOCH_JULIAN_DAY) * 86_400.0 * MICROS).floor() as i128);
    }
    let seconds = [1.0, 1e3, 1e6, 1e9].iter().map(|unit| number / unit).find(|at| at.abs() < LAST_SECOND)?;
    Some((seconds * MICROS).floor() as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 12:00:00 UTC.
    const NOON: i128 = 1_709_208_000_000_000;

    #[test]
    fn one_moment_in_many_notations() {
        for text in [
            "2024-02-29 12:00:00",
            "2024-02-29T12:00:00Z",
            "2024-02-29T12:00Z",
            "2024-02-29 12:00:00.000000+00",
            "2024-02-29T14:00:00+02:00",
            "2024-02-29T14:00:00+0200",
            "2024-02-29 07:00:00.000 -0500",
            "2024-02-29 12:00:00 UTC",
            "2024-02-29 12:00:00 +0000",
            " 2024-02-29t12:00:00z ",
            "1709208000",
            "1709208000000",
            "1709208000.0",
            "1709208000000000",
            "2460370.0",
        ] {
            assert_eq!(of_text(text), Some(NOON), "{text}");
        }
        for text in ["2024-02-29", "20240229"] {
            assert_eq!(of_text(text), Some(NOON + 43_200_000_000 - 1), "{text}");
        }
        assert_eq!(of_text("1969-12-31T23:59:59.9999999Z"), Some(-1));
        assert_eq!(of_number(-1.5), Some(-1_500_000));
    }

    #[test]
    fn what_is_no_time_is_kept_and_counted() {
        let mut filter = TimeFilter::new(0, 0);
        for text in
            ["", "2024", "yesterday", "2024-13-01", "29.02.2024", "infinity", "2024-02-30 10:00:00", "NaN"]
        {
            assert!(filter.keeps_text(text.as_bytes()), "{text}");
        }
        assert!(filter.keeps_text(b"\xff") && filter.keeps_unreadable() && filter.keeps_number(1e40));
        assert_eq!(filter.unreadable, 11);
        assert!(!filter.keeps_text(b"1969-12-31") && filter.keeps_text(b"1970-01-01"));
    }
}
