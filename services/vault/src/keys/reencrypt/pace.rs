//! The pace of a re-encryption: batches, and pauses between them if the rate is limited.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Rows in one transaction. Five times as many were no faster in PostgreSQL (62,000 and 52,000 a second against 62,000
/// and 60,000), and live writes to these rows would wait longer.
const BATCH: i64 = 1000;

/// Limits a run to its number of rows a second.
pub(super) struct Pace {
    rows_per_second: i64,
    next: Instant,
}

impl Pace {
    pub(super) fn new(rows_per_second: i64) -> Self {
        Self { rows_per_second, next: Instant::now() }
    }

    /// Rows of one batch: with a limit, those of a quarter of a second, so that the lease is renewed in time.
    pub(super) fn batch(&self) -> i64 {
        match self.rows_per_second {
            0 => BATCH,
            limit => (limit / 4).clamp(1, BATCH),
        }
    }

    pub(super) async fn wait(&mut self, rows: i64) {
        if self.rows_per_second == 0 || rows == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most a thousand rows")]
        let due = rows as f64 / self.rows_per_second as f64;
        self.next = self.next.max(Instant::now()) + Duration::from_secs_f64(due);
        sleep_until(self.next).await;
    }
}
