//! A clock that only moves when a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strongroom_runtime::Clock;

/// Microseconds at 2026-01-02 03:04:05 UTC, the time of [`ManualClock::default`].
const START_MICROS: i64 = 1_767_323_045_000_000;

/// Clones share one time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock set to `micros` since the Unix epoch.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self(Arc::new(AtomicI64::new(micros)))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("tests wait for less than 292,000 years");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets it to `micros` since the Unix epoch; can set it back.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(START_MICROS)
    }
}

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time() {
        let clock = ManualClock::default();
        let other = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now_micros(), START_MICROS + 2_000_000);
        other.set(5);
        assert_eq!(clock.now_micros(), 5);
    }
}
