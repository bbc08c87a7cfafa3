//! Long calls: what an export, a verification and everything else that streams for minutes have in common.
//!
//! gRPC drops a handler when its client leaves. What must happen anyway, the closing audit event above all, is
//! therefore done by a task of its own, which owns the operation from its permit to its last reply ([`run`]).

mod audit_record;
mod blocking;
mod kind;
mod limits;
mod outlet;
mod run;
mod unfinished;

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::telemetry::{inherited, task};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::{Error, Result};
use crate::metrics::KindMetrics;
pub(crate) use audit_record::{AuditRecord, Metadata, put};
pub(crate) use blocking::Blocking;
pub(crate) use kind::Kind;
pub(crate) use limits::{Limits, Permit};
pub(crate) use outlet::{Outlet, PROGRESS_INTERVAL, Replies};
pub(crate) use run::Ended;
use run::Run;
pub(crate) use unfinished::Unfinished;

/// How long running operations may take to record their end when the service stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// All operations of one kind in this process.
pub(crate) struct Operations {
    kind: &'static Kind,
    limits: Limits,
    metrics: KindMetrics,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Operations {
    /// With none running.
    pub(crate) fn create(kind: &'static Kind, limits: Limits, metrics: KindMetrics) -> Self {
        let permits = Arc::new(Semaphore::new(limits.concurrent));
        Self { kind, limits, metrics, permits, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// How they are limited.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// A permit for one more.
    ///
    /// # Errors
    /// [`Kind::busy`] when as many run as may.
    pub(crate) fn admit(&self) -> Result<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        permit.map_err(|_| {
            self.metrics.refused();
            (self.kind.busy)(self.limits.concurrent)
        })
    }

    /// Starts an operation in a task of its own and returns what its client receives. `permit` is held until the client
    /// has everything.
    ///
    /// `work` gets the way to the client, and a token that is cancelled when the work ends for whatever
    /// reason: threads that it starts must heed it. The future that it returns is dropped when the client leaves,
    /// the deadline passes or the service stops. `undo` runs unless all of it succeeds.
    pub(crate) fn start<R, F, U>(
        &self,
        permit: impl Send + 'static,
        record: AuditRecord,
        work: impl FnOnce(Outlet<R>, CancellationToken) -> F,
        undo: impl FnOnce(&Error) -> U + Send + 'static,
    ) -> Replies<R>
    where
        R: Send + 'static,
        U: Future<Output = ()> + Send + 'static,
        F: Future<Output = Result<Ended<R>>> + Send + 'static,
    {
        let (outlet, replies, gone) = outlet::create(self.kind, self.limits.stall);
        let stop = self.stop.child_token();
        // Boxed: what an operation consists of would be moved from call to call.
        let work = Box::pin(work(outlet.clone(), stop.clone()));
        let (kind, limits, shutdown) = (self.kind, self.limits, self.stop.clone());
        let metrics = self.metrics.clone();
        let run = Run { kind, limits, metrics, record, outlet, stop, shutdown };
        self.tasks.spawn(inherited(
            run.complete((work, undo), gone, permit, || ()).instrument(task(self.kind.name)),
        ));
        replies
    }

    /// Starts an operation that no client waits for. `done` runs at its end, after its closing event and, where it failed,
    /// after `undo`.
    pub(crate) fn start_detached<F, U>(
        &self,
        permit: impl Send + 'static,
        record: AuditRecord,
        work: impl FnOnce(CancellationToken) -> F,
        undo: impl FnOnce(&Error) -> U + Send + 'static,
        done: impl Future<Output = ()> + Send + 'static,
    ) where
        F: Future<Output = Result<Ended<()>>> + Send + 'static,
        U: Future<Output = ()> + Send + 'static,
    {
        let (outlet, replies, gone) = outlet::create(self.kind, self.limits.stall);
        let stop = self.stop.child_token();
        let work = Box::pin(work(stop.clone()));
        let (kind, limits, shutdown) = (self.kind, self.limits, self.stop.clone());
        let run = Run { kind, limits, metrics: self.metrics.clone(), record, outlet, stop, shutdown };
        let detached = async move {
            // Its client is here as long as it runs.
            let replies = replies;
            run.complete((work, undo), gone, permit, || drop(replies)).await;
            done.await;
        };
        self.tasks.spawn(inherited(detached.instrument(task(self.kind.name))));
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            let kind = self.kind.name;
            tracing::error!(kind, "operations were still running at the end, which is not in the audit log");
        }
    }
}
