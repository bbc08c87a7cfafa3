//! Limits on the resources that restores and plans take. A plan needs no grant, so an attacker with only the service's
//! token can plan again and again: this must not prevent restores or block writers.

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::error::{RestoreError, Result};

/// Maximum number of stages filled at once; the same for plans.
const AT_ONCE: usize = 2;
/// After a plan has blocked writers for some time, no plan blocks them again for this many times as long.
const PAUSE: u32 = 4;

/// Slots for stages and for plans.
pub(crate) struct Places {
    stages: Semaphore,
    plans: Semaphore,
    /// Earliest time at which a plan can block writers again.
    next_plan: Mutex<Instant>,
}

impl Default for Places {
    fn default() -> Self {
        let (stages, plans) = (Semaphore::new(AT_ONCE), Semaphore::new(AT_ONCE));
        Self { stages, plans, next_plan: Mutex::new(Instant::now()) }
    }
}

impl Places {
    /// A slot for one stage or plan while it is filled.
    ///
    /// # Errors
    /// [`RestoreError::Busy`].
    pub(crate) fn take(&self, is_plan: bool) -> Result<SemaphorePermit<'_>> {
        let places = if is_plan { &self.plans } else { &self.stages };
        places.try_acquire().map_err(|_| RestoreError::Busy(AT_ONCE).into())
    }

    /// Waits for a plan's turn to block writers, after the previous plan's pause.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let next_plan = self.next_plan.lock().await;
        sleep_until(*next_plan).await;
        Turn { next_plan, begun: Instant::now() }
    }
}

/// The turn of a plan that blocks writers. It also ends if the plan's client leaves.
pub(super) struct Turn<'t> {
    next_plan: MutexGuard<'t, Instant>,
    begun: Instant,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.next_plan = Instant::now() + self.begun.elapsed() * PAUSE;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn plans_leave_writers_four_fifths_of_the_time() {
        let places = Places::default();
        let start = Instant::now();
        for round in 0..3 {
            let turn = places.turn().await;
            assert_eq!(start.elapsed(), Duration::from_secs(5 * round));
            tokio::time::advance(Duration::from_secs(1)).await;
            drop(turn);
        }
    }

    /// A client cannot avoid the pause by leaving in the middle of its plan and starting another.
    #[tokio::test(start_paused = true)]
    async fn a_plan_that_is_given_up_counts_too() {
        let places = Places::default();
        let start = Instant::now();
        let given_up = async {
            let _turn = places.turn().await;
            std::future::pending::<()>().await;
        };
        tokio::time::timeout(Duration::from_secs(1), given_up).await.unwrap_err();
        let _turn = places.turn().await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }

    #[test]
    fn plans_take_no_place_of_a_restore() {
        let places = Places::default();
        let plans: Vec<_> = (0..AT_ONCE).map(|_| places.take(true).unwrap()).collect();
        assert!(places.take(true).is_err());
        assert!(places.take(false).is_ok());
        drop(plans);
        assert!(places.take(true).is_ok());
    }
}
