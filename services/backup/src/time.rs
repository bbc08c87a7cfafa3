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

/// A time of a request; `None` outside the years that a timestamp can have.
pub(crate) fn timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    if !(0..1_000_000_000).contains(&time.nanos) {
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
    }
}
