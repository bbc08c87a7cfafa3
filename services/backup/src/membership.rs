//! Which processes serve from the database, and who inherits from those that died.
//!
//! Each process raises a number at every heartbeat ([`heartbeat`]). A process whose number stands still for two heartbeats
//! is dead ([`sightings`]): one of the others becomes its heir and ends its operations ([`watch`]). Everybody measures by
//! a monotonic clock of its own, so that a clock set back or forward changes nothing.
//!
//! A process that was declared dead may live: it was paused, or did not reach the database. It cannot know when that
//! happens, so its writes carry fencing numbers ([`crate::store::OperationStore`]). What it does elsewhere, it stops when
//! it has not reached the database for two heartbeats: by then, no other process has declared it dead yet.

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

/// How often a process raises its number.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// How many heartbeats a number may stand still.
const PATIENCE: u32 = 2;
/// How many times within a heartbeat a process looks at the others, and tries again to reach the database.
const LOOKS: u32 = 5;

/// This process while others know it by one id.
#[derive(Debug)]
pub(crate) struct Member {
    /// Random.
    pub(crate) id: String,
    /// Cancelled when others have declared it dead, or may be about to: whatever it began must stop.
    pub(crate) lost: CancellationToken,
}

impl Member {
    /// Does `work` as long as this process counts as alive.
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

/// Ends what a dead process has left.
#[async_trait]
pub(crate) trait Heir: Send + Sync {
    /// Ends these operations, which are all that `dead` has left. False if it has to be tried again: at the next heartbeat,
    /// by this process or by its heir, and again with all that is left then. Nobody else is watched meanwhile.
    async fn inherit(&self, dead: &ProcessRow, operations: Vec<OperationRow>) -> bool;
}

/// This process among those that serve from the database.
pub(crate) struct Membership {
    heartbeat: Arc<Heartbeat>,
    store: Arc<dyn Processes>,
    period: Duration,
    /// The heartbeats' task.
    beats: TaskTracker,
    /// Ends it.
    left: CancellationToken,
    _left_when_dropped: DropGuard,
}

impl Membership {
    /// Registers this process, whose host is called `host`, under a new random id. From now on its heartbeats go on until
    /// it leaves, during a shutdown too.
    ///
    /// # Errors
    /// When the database refuses.
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

    /// This process as others know it now. It is lost while it does not reach the database; after that it has another id.
    pub(crate) fn current(&self) -> Arc<Member> {
        self.heartbeat.current()
    }

    /// Watches the other processes until `shutdown`, and makes `heir` inherit from those that die.
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

    /// Ends the heartbeats, and removes this process if it has left nothing to be ended. Otherwise another one inherits
    /// from it, as if it had died.
    pub(crate) async fn leave(&self) {
        self.left.cancel();
        // A heartbeat that found its process gone would register it anew.
        self.beats.wait().await;
        let own = self.current();
        let id = own.id.as_str();
        if own.lost.is_cancelled() {
            tracing::warn!(
                id,
                "this process ends while it does not count as alive; another one inherits from it"
            );
            return;
        }
        match timeout(self.period, self.store.leave(id)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => tracing::warn!(id, "this process leaves operations to another one"),
            Ok(Err(error)) => tracing::warn!(id, %error, "this process could not say that it leaves"),
            Err(_) => tracing::warn!(id, "this process could not say in time that it leaves"),
        }
    }
}
