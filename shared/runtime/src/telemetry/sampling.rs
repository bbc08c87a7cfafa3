//! Which traces are recorded: of those that begin here a part, by chance; of those that callers record, a number a second.
//!
//! A caller's flag is read before the caller is known, so it must not decide alone what this process spends.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Of 2^32 traces. 0 while nothing is traced.
static RECORDED: AtomicU64 = AtomicU64::new(0);

/// Whether there is a collector.
static TRACING: AtomicBool = AtomicBool::new(false);

/// From now on, `part` of the traces that begin here are recorded: 0 to 1; and those that callers record.
pub(super) fn begin(part: f64) {
    TRACING.store(true, Ordering::Relaxed);
    RECORDED.store((part * 2f64.powi(32)) as u64, Ordering::Relaxed);
}

/// Whether a call that comes without a trace begins one.
pub(crate) fn begins_trace() -> bool {
    match RECORDED.load(Ordering::Relaxed) {
        0 => false,
        recorded => chance() < recorded,
    }
}

/// Callers' traces that are recorded in a second.
const JOINED: u64 = 100;

/// The second since the start in the upper half, and in the lower half how many traces were joined in it.
static JOINS: AtomicU64 = AtomicU64::new(0);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Whether there is a collector.
pub(super) fn is_on() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Whether one more trace is joined that its caller records.
pub(crate) fn joins_trace() -> bool {
    is_on() && joins_at(START.elapsed().as_secs())
}

fn joins_at(second: u64) -> bool {
    let joined = |state: u64| {
        let count = if state >> 32 == second { state & u64::from(u32::MAX) } else { 0 };
        (count < JOINED).then_some(second << 32 | (count + 1))
    };
    JOINS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, joined).is_ok()
}

/// Below 2^32, another one at each call. Nothing secret depends on it.
fn chance() -> u64 {
    RandomState::new().hash_one(0) & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_record_a_hundred_traces_a_second() {
        let joined = |second| (0..1000).filter(|_| joins_at(second)).count();
        assert_eq!((joined(7), joined(7), joined(8)), (100, 0, 100));
    }

    #[test]
    fn about_that_part_is_recorded() {
        assert!(!begins_trace());
        begin(0.1);
        let recorded = (0..10_000).filter(|_| begins_trace()).count();
        assert!((800..1200).contains(&recorded), "{recorded}");
        begin(1.0);
        assert!((0..1000).all(|_| begins_trace()));
        begin(0.0);
        assert!(!begins_trace());
    }
}
