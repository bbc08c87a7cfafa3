//! How many rows are looked at together, and pauses where the rate is limited.

use std::time::Duration;

use strongroom_api::limits::BATCH_ITEMS;
use tokio::time::{Instant, sleep_until};

/// Rows of a page at most: as many as the vault takes in one batch.
const MOST: u32 = BATCH_ITEMS as u32;
/// Rows of a page at least where values are long.
const LEAST: u32 = 16;

/// Limits a run to its values a second.
pub(super) struct Pace {
    per_second: u32,
    next: Instant,
    rows: u32,
}

impl Pace {
    /// 0 is no limit.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, next: Instant::now(), rows: MOST }
    }

    /// Rows of the next page: with a limit, a quarter of a second's.
    pub(super) fn rows(&self) -> u32 {
        match self.per_second {
            0 => self.rows,
            limit => self.rows.min((limit / 4).max(1)),
        }
    }

    /// A page of `rows` was cut because its values are long, or was not: what is asked for beyond that is read in vain.
    pub(super) fn learn(&mut self, rows: u32, is_cut: bool) {
        self.rows = if is_cut { rows.max(LEAST) } else { self.rows.saturating_mul(2).min(MOST) };
    }

    /// Waits after so many values.
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
