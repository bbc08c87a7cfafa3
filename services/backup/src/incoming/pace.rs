//! Limits how slow a client may be: otherwise it could hold its slot for as long as it likes with a byte now and then.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};

/// Minimum number of bytes that must arrive in each interval, unless the file ends in it.
const LEAST_BYTES: u64 = 64 << 10;

/// The client's time limit for its next bytes. Only waiting for the client counts, not our own disk.
pub(super) struct Pace {
    interval: Duration,
    /// Time waited in this interval.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// `interval`: how long a client may be idle.
    pub(super) fn create(interval: Duration) -> Self {
        Self { interval, waited: Duration::ZERO, bytes: 0 }
    }

    /// Waits for the client's next message.
    ///
    /// # Errors
    /// [`Error::ClientSilent`] if nothing has arrived in an interval, and [`Error::ClientTooSlow`] if too little has.
    pub(super) async fn wait<T>(&mut self, sent: impl Future<Output = T>) -> Result<T> {
        let began = Instant::now();
        let left = self.interval.saturating_sub(self.waited);
        let arrived = tokio::time::timeout(left, sent).await;
        self.waited += began.elapsed();
        let seconds = self.interval.as_secs();
        arrived.map_err(|_| match self.bytes {
            0 => Error::ClientSilent(seconds),
            _ => Error::ClientTooSlow { bytes: LEAST_BYTES, seconds },
        })
    }

    /// Counts received bytes of the file.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes >= LEAST_BYTES {
            *self = Self::create(self.interval);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    async fn wait(pace: &mut Pace, milliseconds: u64) -> Result<()> {
        pace.wait(tokio::time::sleep(Duration::from_millis(milliseconds))).await
    }

    #[tokio::test(start_paused = true)]
    async fn enough_bytes_restart_the_time_limit() {
        let mut pace = Pace::create(INTERVAL);
        for _ in 0..4 {
            wait(&mut pace, 60).await.unwrap();
            pace.arrived(LEAST_BYTES);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_now_and_then_are_too_few() {
        let mut pace = Pace::create(INTERVAL);
        wait(&mut pace, 60).await.unwrap();
        pace.arrived(LEAST_BYTES - 1);
        assert!(matches!(wait(&mut pace, 60).await, Err(Error::ClientTooSlow { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_our_own_work_are_told_apart() {
        let mut pace = Pace::create(INTERVAL);
        wait(&mut pace, 1).await.unwrap();
        tokio::time::sleep(INTERVAL * 2).await;
        wait(&mut pace, 1).await.unwrap();
        assert!(matches!(wait(&mut pace, 200).await, Err(Error::ClientSilent(0))));
    }
}
