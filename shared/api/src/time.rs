//! Times between the clock (microseconds), protobuf and manifests.

use jiff::Timestamp;

const MICROS: i64 = 1_000_000;

/// Microseconds since the epoch as protobuf has them.
pub(crate) fn proto_time(micros: i64) -> prost_types::Timestamp {
    let nanos = micros.rem_euclid(MICROS) * 1000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(MICROS),
        nanos: i32::try_from(nanos).expect("below 1,000,000,000"),
    }
}

/// A time of a request; `None` outside the years 1 to 9999, which are those of a protobuf timestamp.
pub(crate) fn timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    if !YEARS.contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return None;
    }
    Timestamp::new(time.seconds, time.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_count_forward_also_before_the_epoch() {
        assert_eq!(proto_time(1_500_000), prost_types::Timestamp { seconds: 1, nanos: 500_000_000 });
        assert_eq!(proto_time(-1), prost_types::Timestamp { seconds: -1, nanos: 999_999_000 });
        assert_eq!(timestamp(&prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), None);
        assert_eq!(timestamp(&prost_types::Timestamp { seconds: 0, nanos: -1 }), None);
        assert_eq!(timestamp(&prost_types::Timestamp { seconds: -62_135_596_801, nanos: 0 }), None);
    }
}
