//! Which traces are recorded: a random share of those that begin here, and those that callers record; at most a fixed
//! number of each kind per second.
//!
//! So the cost of traces does not grow with the number of calls, and a caller's flag, which is read before the caller
//! is known, does not decide alone what this process spends.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Recorded traces out of 2^32. 0 while nothing is traced.
static RECORDED: AtomicU64 = AtomicU64::new(0);

/// Whether there is a collector.
static TRACING: AtomicBool = AtomicBool::new(false);

/// From now on, records `part` (0 to 1) of the traces that begin here, and those that callers record.
pub(super) fn begin(part: f64) {
    TRACING.store(true, Ordering::Relaxed);
    RECORDED.store((part * 2f64.powi(32)) as u64, Ordering::Relaxed);
}

/// Whether a call without a trace begins one.
pub(crate) fn begins_trace() -> bool {
    match RECORDED.load(Ordering::Relaxed) {
        0 => false,
        recorded => chance() < recorded && BEGUN.one_more(second()),
    }
}

/// Maximum number of traces of a kind recorded per second. Recording a reveal takes about 0.1 ms of a processor
/// (`tests/bench telemetry`, five spans), so a hundred take 1 % of it.
const A_SECOND: u64 = 100;

static BEGUN: PerSecond = PerSecond(AtomicU64::new(0));
static JOINED: PerSecond = PerSecond(AtomicU64::new(0));
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The second in the upper half, and its number of traces in the lower half.
struct PerSecond(AtomicU64);

impl PerSecond {
    fn one_more(&self, second: u64) -> bool {
        let counted = |state: u64| {
            let count = if state >> 32 == second { state & u64::from(u32::MAX) } else { 0 };
            (count < A_SECOND).then_some((second << 32) | (count + 1))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted).is_ok()
    }
}

/// Seconds since the first call.
fn second() -> u64 {
    START.elapsed().as_secs()
}

/// Whether there is a collector.
pub(super) fn is_on() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Whether to join one more trace that its caller records.
pub(crate) fn joins_trace() -> bool {
    is_on() && JOINED.one_more(second())
}

/// A random number below 2^32. Nothing secret depends on it.
fn chance() -> u64 {
    RandomState::new().hash_one(0) & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_traces_are_recorded_in_a_second() {
        let counter = PerSecond(AtomicU64::new(0));
        let recorded = |second| (0..1000).filter(|_| counter.one_more(second)).count();
        assert_eq!((recorded(7), recorded(7), recorded(8)), (100, 0, 100));
    }

    #[test]
    fn about_that_part_is_recorded() {
        assert!(!begins_trace());
        let part = |part: f64| {
            begin(part);
            let limit = RECORDED.load(Ordering::Relaxed);
            (0..10_000).filter(|_| chance() < limit).count()
        };
        let tenth = part(0.1);
        assert!((800..1200).contains(&tenth), "{tenth}");
        assert_eq!(part(1.0), 10_000);
        assert!(begins_trace());
        assert_eq!(part(0.0), 0);
        assert!(!begins_trace());
    }
}
