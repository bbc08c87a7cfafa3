//! The last result of a slow computation: made in a task of its own, one at a time, and kept for the next reader.
//!
//! So a result that takes longer than a reader waits still arrives, and many readers share it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A result is not made again while it is younger.
const KEPT: Duration = Duration::from_secs(10);
/// How long a reader waits for a new one: less than the page waits for its sections.
const PATIENCE: Duration = Duration::from_secs(4);

/// The last result, when there is one.
pub(super) struct Kept<T> {
    last: watch::Sender<Option<(Instant, T)>>,
    making: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// With nothing made yet.
    pub(super) fn new() -> Self {
        Self { last: watch::Sender::new(None), making: Mutex::default() }
    }

    /// What `make` returns, which is called where the last result is too old and no other call is running; after a while
    /// the last result, whatever its age. With it comes its age. `None` while the first one is being made.
    pub(super) async fn get<F>(&self, make: impl FnOnce() -> F) -> Option<(Duration, T)>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut results = self.last.subscribe();
        if self.last().is_none_or(|(age, _)| age >= KEPT) {
            self.begin(make);
            // In time or not, the last result is returned.
            let _ = timeout(PATIENCE, results.changed()).await;
        }
        self.last()
    }

    fn last(&self) -> Option<(Duration, T)> {
        self.last.borrow().as_ref().map(|(made, result)| (made.elapsed(), result.clone()))
    }

    fn begin<F>(&self, make: impl FnOnce() -> F)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut making = self.making();
        if making.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (last, made) = (self.last.clone(), make());
        *making = Some(tokio::spawn(async move {
            let result = made.await;
            last.send_replace(Some((Instant::now(), result)));
        }));
    }

    fn making(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Kept<T> {
    /// Nobody will ask for it.
    fn drop(&mut self) {
        if let Some(task) = self.making.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::sleep;

    use super::*;

    /// Counts its calls, and takes as long as that.
    struct Slow {
        kept: Kept<u32>,
        calls: Arc<AtomicU32>,
        time: Duration,
    }

    impl Slow {
        fn taking(seconds: u64) -> Self {
            Self { kept: Kept::new(), calls: Arc::default(), time: Duration::from_secs(seconds) }
        }

        /// The age in seconds, and the result.
        async fn get(&self) -> Option<(u64, u32)> {
            let (calls, time) = (Arc::clone(&self.calls), self.time);
            let make = || async move {
                let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
                sleep(time).await;
                call
            };
            self.kept.get(make).await.map(|(age, result)| (age.as_secs(), result))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_one_is_new_or_younger_than_ten_seconds() {
        let slow = Slow::taking(1);
        assert_eq!(slow.get().await, Some((0, 1)));
        sleep(Duration::from_secs(9)).await;
        assert_eq!(slow.get().await, Some((9, 1)));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(slow.get().await, Some((0, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_longer_than_its_readers_wait_arrives_and_is_made_once_at_a_time() {
        let slow = Slow::taking(30);
        for _ in 0..3 {
            assert_eq!(slow.get().await, None, "it is being made");
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(slow.get().await, Some((2, 1)));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(slow.get().await, Some((66, 1)), "an old one is better than none");
        assert_eq!(slow.calls.load(Ordering::Relaxed), 2);
        sleep(Duration::from_secs(27)).await;
        assert_eq!(slow.get().await, Some((1, 2)));
    }
}
