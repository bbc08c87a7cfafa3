//! Between an export and its client: a short queue, and a verdict that overtakes it.
//!
//! gRPC takes from the queue as the client does, so a full queue means a client that takes nothing. An
//! export that fails sets the verdict: whatever is still queued is worthless then, and a client that
//! comes back is told at once.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_api::backup::v1::export_backup_response::Message;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

use crate::error::{Error, Result};

/// Messages that may wait for the client, 256 KiB each at most.
const QUEUE: usize = 4;

/// The export's end of the stream.
#[derive(Clone)]
pub(crate) struct Outlet {
    queue: mpsc::Sender<Message>,
    verdict: Arc<OnceLock<Status>>,
    stall: Duration,
}

/// The client's end: what gRPC polls.
pub(crate) struct ExportStream {
    queue: mpsc::Receiver<Message>,
    verdict: Arc<OnceLock<Status>>,
    has_ended: bool,
    _alive: oneshot::Sender<()>,
}

/// Resolves once the client's end is gone.
pub(crate) type Gone = oneshot::Receiver<()>;

/// A stream whose client may take nothing for `stall`.
pub(crate) fn create(stall: Duration) -> (Outlet, ExportStream, Gone) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let (alive, gone) = oneshot::channel();
    let verdict = Arc::new(OnceLock::new());
    let outlet = Outlet { queue: sender, verdict: Arc::clone(&verdict), stall };
    (outlet, ExportStream { queue, verdict, has_ended: false, _alive: alive }, gone)
}

impl Outlet {
    /// Waits until there is room for `message`.
    ///
    /// # Errors
    /// [`Error::ClientLeft`], or [`Error::Stalled`] when there was no room for too long.
    pub(crate) async fn send(&self, message: Message) -> Result<()> {
        match tokio::time::timeout(self.stall, self.queue.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::ClientLeft),
            Err(_) => Err(Error::Stalled(self.stall.as_secs())),
        }
    }

    /// Waits until the client's connection took everything that was sent.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn taken(&self) -> Result<()> {
        // Place by place, so that a slow client has the same time for each message as before.
        for places in 1..=QUEUE {
            match tokio::time::timeout(self.stall, self.queue.reserve_many(places)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Error::ClientLeft),
                Err(_) => return Err(Error::Stalled(self.stall.as_secs())),
            }
        }
        Ok(())
    }

    /// Resolves when the client leaves.
    pub(crate) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Ends the stream with `status`, ahead of what is queued.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.verdict.set(status);
    }
}

impl Stream for ExportStream {
    type Item = Result<ExportBackupResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = match self.verdict.get() {
            Some(_) => Poll::Ready(None),
            None => self.queue.poll_recv(context),
        };
        match next {
            Poll::Ready(Some(message)) => {
                Poll::Ready(Some(Ok(ExportBackupResponse { message: Some(message) })))
            }
            Poll::Ready(None) => {
                self.has_ended = true;
                Poll::Ready(self.verdict.get().cloned().map(Err))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_api::backup::v1::export_backup_response::Progress;
    use tokio_stream::StreamExt as _;

    use super::*;

    fn message() -> Message {
        Message::Progress(Progress::default())
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_has_stalled() {
        let (outlet, mut stream, _gone) = create(Duration::from_millis(50));
        for _ in 0..QUEUE {
            outlet.send(message()).await.unwrap();
        }
        assert!(matches!(outlet.send(message()).await, Err(Error::Stalled(_))));
        assert!(matches!(outlet.taken().await, Err(Error::Stalled(_))));
        assert!(stream.next().await.unwrap().is_ok());
        outlet.send(message()).await.unwrap();
    }

    #[tokio::test]
    async fn a_verdict_overtakes_the_queue() {
        let (outlet, mut stream, _gone) = create(Duration::from_secs(60));
        outlet.send(message()).await.unwrap();
        outlet.fail(Status::aborted("over"));
        assert_eq!(stream.next().await.unwrap().unwrap_err().message(), "over");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_dropped_stream_is_a_client_that_left() {
        let (outlet, stream, gone) = create(Duration::from_secs(60));
        drop(stream);
        assert!(matches!(outlet.send(message()).await, Err(Error::ClientLeft)));
        outlet.closed().await;
        assert!(gone.await.is_err());
    }
}
