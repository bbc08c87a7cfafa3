//! Which traces that begin here are recorded: a part of them, by chance.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Of 2^32 traces. 0 while nothing is traced.
static RECORDED: AtomicU64 = AtomicU64::new(0);

/// From now on, `part` of the traces that begin here are recorded: 0 to 1.
pub(super) fn begin(part: f64) {
    RECORDED.store((part * 2f64.powi(32)) as u64, Ordering::Relaxed);
}

/// Whether a call that comes without a trace begins one.
pub(crate) fn begins_trace() -> bool {
    match RECORDED.load(Ordering::Relaxed) {
        0 => false,
        recorded => chance() < recorded,
    }
}

/// Below 2^32, another one at each call. Nothing secret depends on it.
fn chance() -> u64 {
    RandomState::new().hash_one(0) & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
