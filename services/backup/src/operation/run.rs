//! One operation from its first event to its last reply.
//!
//! Order: record the start; do the work until it ends, the client leaves, the deadline passes or the service stops;
//! record the end; only then send the last replies. A client that receives them knows that the end is in the audit log.

use std::time::Instant;

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::telemetry;
use tokio_util::sync::CancellationToken;

use super::audit_record::{AuditRecord, Metadata};
use super::kind::Kind;
use super::limits::Limits;
use super::outlet::{Gone, Outlet};
use crate::error::{Error, Result};
use crate::metrics::{KindMetrics, Outcome, Size};

/// The result of an operation's work.
pub(crate) struct Ended<R> {
    /// For the audit log: a verification that finds a damaged archive has done its work but counts as failed.
    pub(crate) outcome: AuditOutcome,
    /// Metadata of the closing event.
    pub(crate) metadata: Metadata,
    /// Replies that are sent once that event is recorded.
    pub(crate) replies: Vec<R>,
    /// Size of the archive.
    pub(crate) size: Size,
}

/// A running operation.
pub(super) struct Run<R> {
    pub(super) kind: &'static Kind,
    pub(super) limits: Limits,
    pub(super) metrics: KindMetrics,
    pub(super) record: AuditRecord,
    pub(super) outlet: Outlet<R>,
    /// Ends the threads of this operation.
    pub(super) stop: CancellationToken,
    /// Ends every operation of the kind.
    pub(super) shutdown: CancellationToken,
}

impl<R> Run<R> {
    /// Does `work` and everything around it; `at_end` runs before waiting for the client.
    pub(super) async fn complete<F, U>(
        self,
        (work, undo): (F, impl FnOnce(&Error) -> U),
        gone: Gone,
        permit: impl Send,
        at_end: impl FnOnce() + Send,
    ) where
        F: Future<Output = Result<Ended<R>>>,
        U: Future<Output = ()>,
    {
        let (stall, shutdown) = (self.limits.stall, self.shutdown.clone());
        self.attempt(work, undo).await;
        at_end();
        // Replies still take memory, so the stream keeps the permit; but an idle client cannot keep it for longer than
        // `stall`.
        let _ = shutdown.run_until_cancelled(tokio::time::timeout(stall, gone)).await;
        drop(permit);
    }

    async fn attempt<F, U>(self, work: F, undo: impl FnOnce(&Error) -> U)
    where
        F: Future<Output = Result<Ended<R>>>,
        U: Future<Output = ()>,
    {
        let began = Instant::now();
        self.metrics.began();
        let (kind, id, file_name) = (self.kind.name, self.record.operation_id(), self.record.target());
        let start = self.record.started().await;
        let has_begun = start.is_ok();
        let ended = match start {
            Ok(()) => self.recorded(work).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok((outcome, size)) => {
                let (ms, Size { bytes, rows }) = (began.elapsed().as_millis() as u64, size);
                tracing::info!(kind, id, file_name, bytes, rows, ms, "an operation has ended");
                if outcome == Outcome::Success {
                    self.metrics.moved(size);
                }
                self.metrics.ended(file_name, began.elapsed(), outcome, "");
            }
            Err(error) => {
                let (reason, trace_id) = (error.reason(), telemetry::trace_id());
                tracing::warn!(kind, id, file_name, reason, trace_id, %error, "an operation failed");
                if !error.is_abort() {
                    telemetry::failed();
                }
                let outcome = if error.is_abort() { Outcome::Aborted } else { Outcome::Failed };
                self.metrics.ended(file_name, began.elapsed(), outcome, reason);
                self.outlet.fail(error.status());
                undo(&error).await;
                if !has_begun {
                    self.record.not_begun(&error).await;
                }
            }
        }
    }

    /// Does the work, whose start is already recorded, records its end, and sends the last replies. Returns the outcome
    /// of the audit event.
    async fn recorded<F>(&self, work: F) -> Result<(Outcome, Size)>
    where
        F: Future<Output = Result<Ended<R>>>,
    {
        let ended = self.within_limits(work).await;
        self.stop.cancel();
        let is_done = ended.is_ok();
        let recorded = match ended {
            Ok(Ended { outcome, metadata, replies, size }) => {
                self.record.ended(outcome, metadata).await.map(|()| (outcome, replies, size))
            }
            Err(error) => Err(error),
        };
        match recorded {
            Ok((outcome, replies, size)) => {
                self.send(replies).await?;
                let succeeded = outcome == AuditOutcome::Success;
                Ok((if succeeded { Outcome::Success } else { Outcome::Failed }, size))
            }
            Err(error) => {
                let is_anothers = self.kind.hands_on && error.is_handed_on();
                if !(is_anothers || is_done && self.kind.keeps) {
                    self.record.failed(&error).await;
                }
                Err(error)
            }
        }
    }

    /// Does the work until it ends, its time limit passes, the client leaves or the service shuts down. Dropping the
    /// work closes its database connections.
    async fn within_limits<F>(&self, work: F) -> Result<Ended<R>>
    where
        F: Future<Output = Result<Ended<R>>>,
    {
        let limit = self.limits.duration;
        tokio::select! {
            // Biased, so that a known cause is reported instead of its consequences.
            biased;
            () = self.shutdown.cancelled() => Err(Error::ShuttingDown),
            () = self.outlet.closed() => Err(Error::ClientLeft),
            ended = tokio::time::timeout(limit, work) => {
                ended.unwrap_or_else(|_| Err((self.kind.too_long)(limit.as_secs())))
            }
        }
    }

    async fn send(&self, replies: Vec<R>) -> Result<()> {
        for reply in replies {
            self.outlet.send(reply).await?;
        }
        Ok(())
    }
}
