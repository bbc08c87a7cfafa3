//! Retries an operation for a short time while the destination is unavailable.

use std::time::Duration;

use tokio::time::Instant;

use super::Problem;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The attempts at one operation.
pub(super) struct Retry {
    within: Duration,
    ends: Option<Instant>,
    wait: Duration,
}

impl Retry {
    /// An attempt may begin up to `within` after the first failure.
    pub(super) fn within(within: Duration) -> Self {
        Self { within, ends: None, wait: FIRST_WAIT }
    }

    /// The wait before the next attempt; `None` if there is none.
    pub(super) fn wait_after(&mut self, problem: &Problem) -> Option<Duration> {
        let now = Instant::now();
        let ends = *self.ends.get_or_insert(now + self.within);
        if !matches!(problem, Problem::Unavailable(_)) || now >= ends {
            return None;
        }
        let wait = self.wait.min(ends - now);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_longer_and_longer_and_ends_in_time() {
        let away = Problem::Unavailable("503".into());
        let (began, mut retry) = (Instant::now(), Retry::within(Duration::from_secs(30)));
        let mut waits = Vec::new();
        while let Some(wait) = retry.wait_after(&away) {
            waits.push(wait.as_millis());
            tokio::time::sleep(wait).await;
        }
        assert_eq!(waits[..6], [200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final() {
        let mut retry = Retry::within(Duration::from_secs(30));
        assert!(retry.wait_after(&Problem::Denied("403".into())).is_none());
    }
}
