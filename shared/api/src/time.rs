//! Conversions between times as microseconds since the Unix epoch, jiff times and protobuf times.
//!
//! Protobuf times lie in the years 1 to 9999. Their fraction counts forward, even before the epoch.

use std::ops::RangeInclusive;

use jiff::Timestamp;

const MICROS: i64 = 1_000_000;
const NANOS: RangeInclusive<i32> = 0..=999_999_999;
/// Seconds of the years 1 to 9999.
const YEARS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The protobuf form of `micros`, microseconds since the epoch.
#[must_use]
pub fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = micros.rem_euclid(MICROS) * 1000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(MICROS),
        nanos: i32::try_from(nanos).expect("below 1,000,000,000"),
    }
}

/// The protobuf form of `time`, to the nanosecond.
#[must_use]
pub fn from_jiff(time: Timestamp) -> prost_types::Timestamp {
    // jiff's fraction has the sign of its seconds.
    let nanos = time.as_nanosecond();
    prost_types::Timestamp {
        seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).expect("jiff's years fit"),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).expect("below 1,000,000,000"),
    }
}

/// Microseconds since the epoch, rounded down; `None` outside the years 1 to 9999.
#[must_use]
pub fn micros(time: &prost_types::Timestamp) -> Option<i64> {
    let is_valid = YEARS.contains(&time.seconds) && NANOS.contains(&time.nanos);
    is_valid.then(|| time.seconds * MICROS + i64::from(time.nanos) / 1000)
}

/// The same as a jiff time, to the nanosecond.
#[must_use]
pub fn to_jiff(time: &prost_types::Timestamp) -> Option<Timestamp> {
    micros(time)?;
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A duration in microseconds, rounded down. `None` for a negative duration, for one longer than `longest`
/// seconds (even by less than a microsecond), and for one whose parts are out of range.
#[must_use]
pub fn duration_micros(length: &prost_types::Duration, longest: i64) -> Option<i64> {
    let is_valid = length.seconds >= 0 && NANOS.contains(&length.nanos);
    if !is_valid || (length.seconds, length.nanos) > (longest, 0) {
        return None;
    }
    length.seconds.checked_mul(MICROS)?.checked_add(i64::from(length.nanos) / 1000)
}

/// The protobuf form of a duration in microseconds.
#[must_use]
pub fn duration(micros: i64) -> prost_types::Duration {
    let nanos = micros % MICROS * 1000;
    prost_types::Duration {
        seconds: micros / MICROS,
        nanos: i32::try_from(nanos).expect("within 1,000,000,000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proto(seconds: i64, nanos: i32) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos }
    }

    #[test]
    fn fractions_count_forward_also_before_the_epoch() {
        assert_eq!(timestamp(1_500_000), proto(1, 500_000_000));
        assert_eq!(timestamp(-1), proto(-1, 999_999_000));
        let time = "1969-12-31T23:59:59.25Z".parse().expect("a time");
        assert_eq!(from_jiff(time), proto(-1, 250_000_000));
        assert_eq!(to_jiff(&proto(-1, 250_000_000)), Some(time));
    }

    #[test]
    fn times_go_there_and_back() {
        for time in [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000] {
            assert_eq!(micros(&timestamp(time)), Some(time), "{time}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (seconds, nanos) in [
            (i64::MAX, 0),
            (i64::MIN, 0),
            (0, -1),
            (0, 1_000_000_000),
            (-62_135_596_801, 0),
            (253_402_300_800, 0),
        ] {
            assert_eq!(micros(&proto(seconds, nanos)), None, "{seconds} {nanos}");
            assert_eq!(to_jiff(&proto(seconds, nanos)), None, "{seconds} {nanos}");
        }
    }

    #[test]
    fn lengths_are_whole_and_not_negative() {
        let length = |seconds, nanos| duration_micros(&prost_types::Duration { seconds, nanos }, 10);
        assert_eq!(length(1, 500_000_000), Some(1_500_000));
        assert_eq!(length(0, 0), Some(0));
        assert_eq!((length(10, 0), length(10, 1)), (Some(10_000_000), None), "a nanosecond too long");
        assert_eq!(length(9, 999_999_999), Some(9_999_999));
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)] {
            assert_eq!(length(seconds, nanos), None, "{seconds} {nanos}");
        }
    }
}
