//! Long calls: the parts that exports, verifications and all other calls that stream for minutes have in common.
//!
//! gRPC drops a handler when its client leaves. Some steps must happen anyway, above all the closing audit event. A
//! separate task therefore owns the operation from its permit to its last reply ([`run`]).

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

/// Time that running operations have to record their end when the service stops.
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
    pub(crate) fn create(kind: &'static Kind, limits: Limits, metrics: KindMetrics) -> Self {
        let permits = Arc::new(Semaphore::new(limits.concurrent));
        Self { kind, limits, metrics, permits, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a permit for one more operation.
    ///
    /// # Errors
    /// [`Kind::busy`] if all permits are taken.
    pub(crate) fn admit(&self) -> Result<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        permit.map_err(|_| {
            self.metrics.refused();
            (self.kind.busy)(self.limits.concurrent)
        })
    }

    /// Starts an operation in a task of its own and returns the replies for its client. `permit` is held until the
    /// client has everything.
    ///
    /// `work` gets the outlet to the client, and a token that is cancelled when the work ends for any reason: threads
    /// that it starts must heed it. The future that it returns is dropped when the client leaves, the deadline passes
    /// or the service stops. `undo` runs unless everything succeeds.
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
        // Boxed, because otherwise the operation's large state would be moved from call to call.
        let work = Box::pin(work(outlet.clone(), stop.clone()));
        let (kind, limits, shutdown) = (self.kind, self.limits, self.stop.clone());
        let metrics = self.metrics.clone();
        let run = Run { kind, limits, metrics, record, outlet, stop, shutdown };
        self.tasks.spawn(inherited(
            run.complete((work, undo), gone, permit, || ()).instrument(task(self.kind.name)),
        ));
        replies
    }

    /// Starts an operation without a client. `done` runs after its closing event and, if it failed, after `undo`.
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
            // The detached task keeps the replies, so the client counts as present while the operation runs.
            let replies = replies;
            run.complete((work, undo), gone, permit, || drop(replies)).await;
            done.await;
        };
        self.tasks.spawn(inherited(detached.instrument(task(self.kind.name))));
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            let kind = self.kind.name;
            tracing::error!(kind, "operations did not stop in time; their end is missing from the audit log");
        }
    }
}
