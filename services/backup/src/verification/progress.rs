//! The way back to the client of a verification.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::{Message, Progress};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::findings::Findings;
use crate::error::{Error, Result};

/// Messages that may wait for the client, of a few KiB each, 90 KiB where a column has a hundred bad rows.
const QUEUE: usize = 16;

/// The shortest time between two messages of progress.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What gRPC polls.
pub(crate) type VerifyStream = ReceiverStream<Result<VerifyBackupResponse, Status>>;

/// The verification's end of the stream.
#[derive(Clone)]
pub(super) struct Outlet {
    queue: mpsc::Sender<Result<VerifyBackupResponse, Status>>,
    stall: Duration,
    /// Values that the vault has answered for.
    values: Arc<AtomicI64>,
}

/// A stream whose client may take nothing for `stall`.
pub(super) fn create(stall: Duration) -> (Outlet, VerifyStream) {
    let (queue, received) = mpsc::channel(QUEUE);
    (Outlet { queue, stall, values: Arc::default() }, ReceiverStream::new(received))
}

impl Outlet {
    /// Waits until there is room for `message`.
    ///
    /// # Errors
    /// [`Error::ClientLeft`], or [`Error::ClientSilent`] when there was no room for too long.
    pub(super) async fn send(&self, message: Message) -> Result<()> {
        let message = VerifyBackupResponse { message: Some(message) };
        match tokio::time::timeout(self.stall, self.queue.send(Ok(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::ClientLeft),
            Err(_) => Err(Error::ClientSilent(self.stall.as_secs())),
        }
    }

    /// Tells how far it is, unless the client is slow.
    pub(super) fn progress(&self, progress: Progress) {
        let progress = Progress { values: self.values.load(Ordering::Relaxed), ..progress };
        let message = VerifyBackupResponse { message: Some(Message::Progress(progress)) };
        let _ = self.queue.try_send(Ok(message));
    }

    /// Counts for the progress to come.
    pub(super) fn count_values(&self, answered: usize) {
        self.values.fetch_add(answered as i64, Ordering::Relaxed);
    }

    /// Sends what was found, the verdict last.
    pub(super) async fn conclude(&self, findings: Findings) -> Result<()> {
        let (columns, verdict) = findings.into_messages();
        for column in columns {
            self.send(Message::Column(column)).await?;
        }
        self.send(Message::Verdict(verdict)).await
    }

    /// Ends the stream with `status`.
    pub(super) async fn fail(&self, status: Status) {
        let _ = tokio::time::timeout(self.stall, self.queue.send(Err(status))).await;
    }

    /// Resolves when the client leaves.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }
}
