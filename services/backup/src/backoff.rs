//! Exponential backoff between attempts at something that fails temporarily.

use std::time::Duration;

use strongroom_runtime::Shutdown;

/// Waits, each twice as long as the one before.
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    shutdown: Shutdown,
}

impl Backoff {
    /// Waits grow from `first` to `longest`; `shutdown` ends a wait.
    pub(crate) fn create(first: Duration, longest: Duration, shutdown: Shutdown) -> Self {
        Self { next: first, longest, shutdown }
    }

    /// Waits. Returns false if the service stops meanwhile.
    pub(crate) async fn wait(&mut self) -> bool {
        let waited = self.shutdown.unless_begun(tokio::time::sleep(self.next)).await;
        self.next = (self.next * 2).min(self.longest);
        waited.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_longer_and_longer_up_to_a_limit_and_not_when_the_service_stops() {
        let shutdown = Shutdown::new();
        let mut backoff = Backoff::create(Duration::from_secs(1), Duration::from_secs(3), shutdown.clone());
        for seconds in [1, 2, 3, 3] {
            let began = Instant::now();
            assert!(backoff.wait().await);
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
        shutdown.begin();
        assert!(!backoff.wait().await);
    }
}
