//! The number of rows per page, and pauses if the rate is limited.

use std::time::Duration;

use strongroom_api::limits::BATCH_ITEMS;
use tokio::time::{Instant, sleep_until};

/// Maximum number of rows of a page: as many as the vault takes in one batch.
const MOST: u32 = BATCH_ITEMS as u32;
/// Minimum number of rows of a page, for long values.
const LEAST: u32 = 16;

/// Limits a run to a number of values per second.
pub(super) struct Pace {
    per_second: u32,
    next: Instant,
    rows: u32,
}

impl Pace {
    /// 0 means no limit.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, next: Instant::now(), rows: MOST }
    }

    /// Number of rows of the next page; with a limit, those of a quarter of a second.
    pub(super) fn rows(&self) -> u32 {
        match self.per_second {
            0 => self.rows,
            limit => self.rows.min((limit / 4).max(1)),
        }
    }

    /// Learns whether a page of `rows` was cut because its values are long, so that the next page asks for no more than
    /// fit.
    pub(super) fn learn(&mut self, rows: u32, is_cut: bool) {
        self.rows = if is_cut { rows.max(LEAST) } else { self.rows.saturating_mul(2).min(MOST) };
    }

    /// Waits after this number of values.
    pub(super) async fn wait(&mut self, values: usize) {
        if self.per_second == 0 || values == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a page has at most a thousand values")]
        let due = values as f64 / f64::from(self.per_second);
        self.next = self.next.max(Instant::now()) + Duration::from_secs_f64(due);
        sleep_until(self.next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_long_as_rate_and_values_allow() {
        assert_eq!([1, 3, 400, 100_000].map(|rate| Pace::new(rate).rows()), [1, 1, 100, MOST]);
        let mut pace = Pace::new(0);
        for (rows, is_cut, then) in [(24, true, 24), (3, true, LEAST), (16, false, 32), (32, false, 64)] {
            pace.learn(rows, is_cut);
            assert_eq!(pace.rows(), then);
        }
    }
}
