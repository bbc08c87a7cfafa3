//! Dates and timestamps, printed as the server prints them with `DateStyle = 'ISO'` and the time zone UTC.

use super::numbers::write_padded;

/// The server counts from 2000-01-01; the calendar below from 0000-03-01.
const DAYS_TO_2000: i64 = 730_425;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// `value` is in days since 2000-01-01.
pub(super) fn write_date(out: &mut Vec<u8>, value: i32) {
    match value {
        i32::MAX => out.extend_from_slice(br#""infinity""#),
        i32::MIN => out.extend_from_slice(br#""-infinity""#),
        _ => {
            out.push(b'"');
            let year = write_day(out, value.into());
            end(out, year);
        }
    }
}

/// `value` is in microseconds since 2000-01-01; `zone` is appended to the time.
pub(super) fn write_timestamp(out: &mut Vec<u8>, value: i64, zone: &str) {
    match value {
        i64::MAX => return out.extend_from_slice(br#""infinity""#),
        i64::MIN => return out.extend_from_slice(br#""-infinity""#),
        _ => out.push(b'"'),
    }
    let year = write_day(out, value.div_euclid(MICROS_A_DAY));
    let micros = value.rem_euclid(MICROS_A_DAY).cast_unsigned();
    let seconds = micros / 1_000_000;
    for (mark, part) in [(b' ', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.push(mark);
        write_padded(out, part, 2);
    }
    if !micros.is_multiple_of(1_000_000) {
        out.push(b'.');
        write_padded(out, micros % 1_000_000, 6);
        while out.ends_with(b"0") {
            out.pop();
        }
    }
    out.extend_from_slice(zone.as_bytes());
    end(out, year);
}

/// Writes year, month and day. Returns the year, because its era is written at the very end.
fn write_day(out: &mut Vec<u8>, days_since_2000: i64) -> i64 {
    let (year, month, day) = civil(days_since_2000 + DAYS_TO_2000);
    let shown = if year > 0 { year } else { 1 - year };
    write_padded(out, shown.unsigned_abs(), 4);
    out.push(b'-');
    write_padded(out, month, 2);
    out.push(b'-');
    write_padded(out, day, 2);
    year
}

fn end(out: &mut Vec<u8>, year: i64) {
    out.extend_from_slice(if year > 0 { b"\"" } else { b" BC\"" });
}

/// Converts a day counted from 0000-03-01 to year, month and day of the proleptic Gregorian calendar: Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`. A year here begins in March, so the leap day is its last
/// day.
fn civil(days: i64) -> (i64, u64, u64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let (era, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = (day - (365 * year + year / 4 - year / 100)).unsigned_abs();
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let is_next_year = from_march >= 10;
    let month = if is_next_year { from_march - 9 } else { from_march + 3 };
    (year + era * 400 + i64::from(is_next_year), month, day_of_month)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn date(days: i32) -> String {
        let mut out = Vec::new();
        write_date(&mut out, days);
        String::from_utf8(out).unwrap().trim_matches('"').to_owned()
    }

    fn timestamp(micros: i64, zone: &str) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, micros, zone);
        String::from_utf8(out).unwrap().trim_matches('"').to_owned()
    }

    /// Two independent calendar implementations agree on every day of eight hundred years.
    #[test]
    fn dates_agree_with_another_calendar() {
        let mut other = jiff::civil::date(1800, 1, 1);
        for days in -73_048..=219_000 {
            assert_eq!(date(days), other.to_string());
            other = other.tomorrow().unwrap();
        }
    }

    #[test]
    fn the_edges_are_the_server_s() {
        assert_eq!(date(0), "2000-01-01");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(date(2_145_031_948), "5874897-12-31");
        assert_eq!(date(-2_451_545 + 38), "4713-01-01 BC");
        assert_eq!(date(-730_119), "0001-01-01");
        assert_eq!(date(-730_120), "0001-12-31 BC");
        assert_eq!(timestamp(i64::MIN, ""), "-infinity");
        assert_eq!(timestamp(0, "+00"), "2000-01-01 00:00:00+00");
        assert_eq!(timestamp(-1, ""), "1999-12-31 23:59:59.999999");
        assert_eq!(timestamp(100_000, ""), "2000-01-01 00:00:00.1");
        assert_eq!(timestamp(MICROS_A_DAY * -730_120, "+00"), "0001-12-31 00:00:00+00 BC");
    }
}
