//! Processes that live, die, pause and lose their database, on a clock controlled by the test.
#![expect(clippy::unwrap_used, reason = "tests")]

mod database;
mod dying;
mod fake;
mod outage;
mod pause;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use strongroom_runtime::Shutdown;
use strongroom_testkit::ManualClock;
use tokio::time::{Instant, sleep};

use super::{HEARTBEAT, Heir, Membership};
use crate::store::{OperationRow, ProcessRow, Processes};
use fake::{Fake, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// A process with its own connection to the database.
struct Running {
    membership: Arc<Membership>,
    connection: Arc<Fake>,
    heir: Arc<TestHeir>,
    clock: ManualClock,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(database: &Shared) -> Self {
        let connection = Arc::new(Fake::connect(database));
        let store: Arc<dyn Processes> = connection.clone();
        let clock = ManualClock::default();
        let joined =
            Membership::join_with(Arc::clone(&store), "host".into(), Arc::new(clock.clone()), HEARTBEAT);
        let membership = joined.await.unwrap();
        let (heir, shutdown) = (Arc::new(TestHeir::create(store)), Shutdown::new());
        let (running, inheriting, until) = (Arc::clone(&membership), Arc::clone(&heir), shutdown.clone());
        let task = tokio::spawn(async move { running.run(inheriting.as_ref(), &until).await });
        Self { membership, connection, heir, clock, shutdown, task }
    }

    fn id(&self) -> String {
        self.membership.current().id.clone()
    }

    fn is_lost(&self) -> bool {
        self.membership.current().lost.is_cancelled()
    }

    /// Ends like a process killed by a signal that it cannot handle.
    async fn kill(self) -> String {
        let id = self.id();
        self.task.abort();
        let _ = self.task.await;
        id
    }
}

/// Ends the operations that it inherits, after a given number of failures.
struct TestHeir {
    store: Arc<dyn Processes>,
    /// Number of failures left.
    failures: Mutex<usize>,
    heard: Mutex<VecDeque<(Instant, String, Vec<OperationRow>)>>,
}

impl TestHeir {
    fn create(store: Arc<dyn Processes>) -> Self {
        Self { store, failures: Mutex::default(), heard: Mutex::default() }
    }

    /// The next inherited process, if there is one.
    fn next(&self) -> Option<(Instant, String, Vec<OperationRow>)> {
        self.heard.lock().unwrap().pop_front()
    }

    /// Waits for the next inherited process.
    async fn wait(&self) -> (Instant, String, Vec<OperationRow>) {
        loop {
            if let Some(heard) = self.next() {
                return heard;
            }
            sleep(SECOND / 10).await;
        }
    }
}

#[async_trait]
impl Heir for TestHeir {
    async fn inherit(&self, dead: &ProcessRow, operations: Vec<OperationRow>) -> bool {
        self.heard.lock().unwrap().push_back((Instant::now(), dead.id.clone(), operations.clone()));
        {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return false;
            }
        }
        for operation in &operations {
            assert!(self.store.end_operation(operation).await.unwrap());
        }
        true
    }
}
