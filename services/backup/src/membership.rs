//! Tracks the processes that serve from the database, and chooses heirs for those that died.
//!
//! Each process increments a counter at every heartbeat ([`heartbeat`]). A process whose counter has not changed for
//! two heartbeats is dead ([`sightings`]): one of the others becomes its heir and ends its operations ([`watch`]). Each
//! process measures time with its own monotonic clock, so changes of the wall clock have no effect.
//!
//! A process that was declared dead may still be alive: it was paused, or could not reach the database. It cannot know
//! when it was declared dead, so its writes carry fencing numbers ([`crate::store::OperationStore`]). It stops its work
//! outside the database when it has not reached the database for two heartbeats, which is before any other process
//! declares it dead.

mod heartbeat;
mod sightings;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strongroom_runtime::{Clock, Shutdown};
use strongroom_store::Result;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::store::{OperationRow, ProcessRow, Processes, Store};
use heartbeat::Heartbeat;
use watch::Watch;

/// Interval between heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// Number of heartbeats without a change after which a process is dead.
const PATIENCE: u32 = 2;
/// Number of times within a heartbeat that a process checks the others, and retries to reach the database.
const LOOKS: u32 = 5;

/// This process under one of its ids.
#[derive(Debug)]
pub(crate) struct Member {
    /// A random id.
    pub(crate) id: String,
    /// Cancelled when others have declared the process dead, or may soon do so: everything that it began must stop.
    pub(crate) lost: CancellationToken,
}

impl Member {
    /// Runs `work` while this process counts as alive.
    ///
    /// # Errors
    /// [`Error::Fenced`], and those of `work`.
    pub(crate) async fn until_lost<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.lost.run_until_cancelled(work).await.unwrap_or(Err(Error::Fenced))
    }
}

/// Ends the operations of a dead process.
#[async_trait]
pub(crate) trait Heir: Send + Sync {
    /// Ends these operations, which are all that `dead` has left. Returns false if it must be retried: at the next
    /// heartbeat, by this process or by its heir, and with all operations that are then left. Meanwhile no other
    /// process is watched.
    async fn inherit(&self, dead: &ProcessRow, operations: Vec<OperationRow>) -> bool;
}

/// This process as one of those that serve from the database.
pub(crate) struct Membership {
    heartbeat: Arc<Heartbeat>,
    store: Arc<dyn Processes>,
    period: Duration,
    /// The heartbeat task.
    beats: TaskTracker,
    /// Ends the heartbeat task.
    left: CancellationToken,
    _left_when_dropped: DropGuard,
}

impl Membership {
    /// Registers this process, on the host `host`, under a new random id. Its heartbeats then continue until it leaves,
    /// even during a shutdown.
    ///
    /// # Errors
    /// The database's errors.
    pub(crate) async fn join(
        store: Arc<dyn Store>,
        host: String,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>> {
        Self::join_with(store, host, clock, HEARTBEAT).await
    }

    async fn join_with(
        store: Arc<dyn Processes>,
        host: String,
        clock: Arc<dyn Clock>,
        period: Duration,
    ) -> Result<Arc<Self>> {
        let (heartbeat, joined) = Heartbeat::begin(Arc::clone(&store), host, clock, period).await?;
        let (heartbeat, left) = (Arc::new(heartbeat), CancellationToken::new());
        let (beating, until) = (Arc::clone(&heartbeat), left.clone());
        let beats = TaskTracker::new();
        beats.spawn(async move {
            until.run_until_cancelled(beating.keep_beating(joined)).await;
        });
        beats.close();
        let _left_when_dropped = left.clone().drop_guard();
        Ok(Arc::new(Self { heartbeat, store, period, beats, left, _left_when_dropped }))
    }

    /// This process under its current id. It is lost while it cannot reach the database; afterwards it has another id.
    pub(crate) fn current(&self) -> Arc<Member> {
        self.heartbeat.current()
    }

    /// Watches the other processes until `shutdown`, and calls `heir` for those that die.
    pub(crate) async fn run(&self, heir: &dyn Heir, shutdown: &Shutdown) {
        let mut watch = Watch::create(Arc::clone(&self.store), self.period);
        let mut looks = interval(self.period / LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.unless_begun(looks.tick()).await.is_some() {
            let own = self.current();
            let looking = own.lost.run_until_cancelled(watch.look(&own.id, heir));
            shutdown.unless_begun(looking).await;
        }
    }

    /// Ends the heartbeats, and removes this process if it leaves no operations. Otherwise another process inherits
    /// from it, as if it had died.
    pub(crate) async fn leave(&self) {
        self.left.cancel();
        // Wait for the heartbeat task: a heartbeat that finds its process missing would register it again.
        self.beats.wait().await;
        let own = self.current();
        let id = own.id.as_str();
        if own.lost.is_cancelled() {
            tracing::warn!(
                id,
                "this process ends while it does not count as alive; another one inherits its operations"
            );
            return;
        }
        match timeout(self.period, self.store.leave(id)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => tracing::warn!(id, "this process leaves its operations to another one"),
            Ok(Err(error)) => {
                tracing::warn!(id, %error, "this process could not announce that it is leaving");
            }
            Err(_) => tracing::warn!(id, "this process could not announce in time that it is leaving"),
        }
    }
}
