//! The last result of a slow computation, which runs in its own task, one at a time; the result is kept for later
//! readers.
//!
//! A result that takes longer than a reader waits still arrives, and many readers share it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A result younger than this is not recomputed.
const KEPT: Duration = Duration::from_secs(10);
/// How long a reader waits for a new result: less than the page waits for its sections.
const PATIENCE: Duration = Duration::from_secs(4);

/// The last result, if there is one.
pub(super) struct Kept<T> {
    last: watch::Sender<Option<(Instant, T)>>,
    making: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// No result yet.
    pub(super) fn new() -> Self {
        Self { last: watch::Sender::new(None), making: Mutex::default() }
    }

    /// The last result and its age. If it is too old, `make` is called first, unless a computation is already running,
    /// and the reader waits for its result for a while; after that it gets the last result, whatever its age. `None` if
    /// there is no result yet.
    pub(super) async fn get<F>(&self, make: impl FnOnce() -> F) -> Option<(Duration, T)>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut results = self.last.subscribe();
        if self.last().is_none_or(|(age, _)| age >= KEPT) {
            self.begin(make);
            // The last result is returned whether or not a new one arrived in time.
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
    /// Stops the computation: nobody will ask for its result.
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

    /// Counts its calls; each takes `time`.
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
