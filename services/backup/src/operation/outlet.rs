//! Between an operation and its client: a short queue, and a failure that overtakes it.
//!
//! gRPC takes from the queue as the client reads, so a full queue means a client that reads nothing. When an operation
//! fails, all queued replies are worthless: a client that resumes reading gets the failure at once.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

use super::kind::Kind;
use crate::error::{Error, Result};

/// Minimum interval between two replies that only report progress.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// The operation's end; clones send into the same queue.
pub(crate) struct Outlet<R> {
    queue: mpsc::Sender<R>,
    failure: Arc<OnceLock<Status>>,
    stall: Duration,
    stalled: fn(u64) -> Error,
}

impl<R> Clone for Outlet<R> {
    fn clone(&self) -> Self {
        let (queue, failure) = (self.queue.clone(), Arc::clone(&self.failure));
        Self { queue, failure, stall: self.stall, stalled: self.stalled }
    }
}

/// The client's end, polled by gRPC.
pub(crate) struct Replies<R> {
    queue: mpsc::Receiver<R>,
    failure: Arc<OnceLock<Status>>,
    /// `None` once the last reply was taken.
    alive: Option<oneshot::Sender<()>>,
}

/// Resolves once the client has everything, or its end is dropped.
pub(super) type Gone = oneshot::Receiver<()>;

/// Both ends, for a client that may read nothing for at most `stall`.
pub(super) fn create<R>(kind: &Kind, stall: Duration) -> (Outlet<R>, Replies<R>, Gone) {
    let (sender, queue) = mpsc::channel(kind.queue);
    let (alive, gone) = oneshot::channel();
    let failure = Arc::new(OnceLock::new());
    let outlet = Outlet { queue: sender, failure: Arc::clone(&failure), stall, stalled: kind.stalled };
    (outlet, Replies { queue, failure, alive: Some(alive) }, gone)
}

impl<R> Outlet<R> {
    /// Waits until there is room for `reply`.
    ///
    /// # Errors
    /// [`Error::ClientLeft`], or [`Kind::stalled`] if there was no room for too long.
    pub(crate) async fn send(&self, reply: R) -> Result<()> {
        match tokio::time::timeout(self.stall, self.queue.send(reply)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::ClientLeft),
            Err(_) => Err((self.stalled)(self.stall.as_secs())),
        }
    }

    /// Sends `reply` if the queue has room.
    pub(crate) fn offer(&self, reply: R) {
        let _ = self.queue.try_send(reply);
    }

    /// Waits until the client's connection has taken everything that was sent.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub(crate) async fn taken(&self) -> Result<()> {
        // One by one, so that a slow client has the full time for each reply.
        for free in 1..=self.queue.max_capacity() {
            match tokio::time::timeout(self.stall, self.queue.reserve_many(free)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Error::ClientLeft),
                Err(_) => return Err((self.stalled)(self.stall.as_secs())),
            }
        }
        Ok(())
    }

    /// Resolves when the client leaves.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Ends the stream with `status`, ahead of queued replies.
    pub(super) fn fail(self, status: Status) {
        let _ = self.failure.set(status);
    }
}

impl<R> Stream for Replies<R> {
    type Item = Result<R, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.alive.is_none() {
            return Poll::Ready(None);
        }
        let next = match self.failure.get() {
            Some(_) => Poll::Ready(None),
            None => self.queue.poll_recv(context),
        };
        match next {
            Poll::Ready(Some(reply)) => Poll::Ready(Some(Ok(reply))),
            Poll::Ready(None) => {
                self.alive = None;
                Poll::Ready(self.failure.get().cloned().map(Err))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    const KIND: Kind = Kind {
        name: "test",
        started: None,
        ended: "backup.tested",
        keeps: false,
        hands_on: false,
        queue: 4,
        busy: Error::Busy,
        too_long: Error::TooLong,
        stalled: Error::Stalled,
    };

    #[tokio::test]
    async fn a_client_that_takes_nothing_has_stalled() {
        let (outlet, mut replies, _gone) = create(&KIND, Duration::from_millis(50));
        for number in 0..KIND.queue {
            outlet.send(number).await.unwrap();
        }
        outlet.offer(7);
        assert!(matches!(outlet.send(8).await, Err(Error::Stalled(_))));
        assert!(matches!(outlet.taken().await, Err(Error::Stalled(_))));
        assert_eq!(replies.next().await.unwrap().unwrap(), 0);
        outlet.send(9).await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_overtakes_the_queue() {
        let (outlet, mut replies, gone) = create(&KIND, Duration::from_secs(60));
        outlet.send(1).await.unwrap();
        outlet.fail(Status::aborted("over"));
        assert_eq!(replies.next().await.unwrap().unwrap_err().message(), "over");
        assert!(replies.next().await.is_none());
        let gone = tokio::time::timeout(Duration::from_secs(5), gone).await;
        assert!(gone.expect("the client has everything").is_err());
    }

    #[tokio::test]
    async fn a_dropped_stream_is_a_client_that_left() {
        let (outlet, replies, gone) = create(&KIND, Duration::from_secs(60));
        drop(replies);
        assert!(matches!(outlet.send(1).await, Err(Error::ClientLeft)));
        outlet.closed().await;
        assert!(gone.await.is_err());
    }
}
