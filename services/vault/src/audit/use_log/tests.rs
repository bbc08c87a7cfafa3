//! Tests with a store that counts, delays and refuses commits.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use strongroom_runtime::Metrics;
use strongroom_store::{Error as StoreError, Result as StoreResult};
use tokio::sync::Semaphore;

use super::*;

struct Gate {
    commits: AtomicUsize,
    events: AtomicUsize,
    refuses: AtomicBool,
    open: Semaphore,
}

impl Gate {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            commits: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            refuses: AtomicBool::new(false),
            open: Semaphore::new(permits),
        })
    }
}

#[async_trait]
impl UseStore for Gate {
    async fn append_uses(&self, uses: &[Use]) -> StoreResult<()> {
        self.open.acquire().await.unwrap().forget();
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Url("refused"));
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.events.fetch_add(uses.len(), Ordering::SeqCst);
        Ok(())
    }
}

fn commit_many(log: &Arc<UseLog>, count: usize) -> Vec<tokio::task::JoinHandle<Result<()>>> {
    let one = |log: Arc<UseLog>| async move { log.commit(NewEvent::default(), Some("id")).await };
    (0..count).map(|_| tokio::spawn(one(Arc::clone(log)))).collect()
}

/// Runs every task that can make progress.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn uses_that_wait_share_a_commit_and_none_is_answered_before_it() {
    let gate = Gate::new(0);
    let log = Arc::new(UseLog::new(Arc::<Gate>::clone(&gate), UseMetrics::new(&Metrics::new())));
    let first = commit_many(&log, 1);
    settle().await;
    let rest = commit_many(&log, 63);
    settle().await;
    assert!(first.iter().chain(&rest).all(|task| !task.is_finished()), "nothing is durable yet");
    gate.open.add_permits(1);
    settle().await;
    assert!(first[0].is_finished() && rest.iter().all(|task| !task.is_finished()));
    gate.open.add_permits(1);
    for task in first.into_iter().chain(rest) {
        task.await.unwrap().unwrap();
    }
    assert_eq!(gate.commits.load(Ordering::SeqCst), 2, "the 63 gathered during the first one's commit");
    assert_eq!(gate.events.load(Ordering::SeqCst), 64);
}

#[tokio::test]
async fn a_failed_commit_fails_all_and_the_next_one_works() {
    let gate = Gate::new(1000);
    gate.refuses.store(true, Ordering::SeqCst);
    let log = Arc::new(UseLog::new(Arc::<Gate>::clone(&gate), UseMetrics::new(&Metrics::new())));
    for task in commit_many(&log, 64) {
        assert!(matches!(task.await.unwrap(), Err(Error::AuditUnavailable(_))));
    }
    gate.refuses.store(false, Ordering::SeqCst);
    for task in commit_many(&log, 64) {
        task.await.unwrap().unwrap();
    }
    assert_eq!(gate.events.load(Ordering::SeqCst), 64);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_nothing_back() {
    let gate = Gate::new(0);
    let log = Arc::new(UseLog::new(Arc::<Gate>::clone(&gate), UseMetrics::new(&Metrics::new())));
    let tasks = commit_many(&log, 2);
    settle().await;
    tasks[1].abort();
    gate.open.add_permits(2);
    settle().await;
    assert_eq!(gate.events.load(Ordering::SeqCst), 2);
}
