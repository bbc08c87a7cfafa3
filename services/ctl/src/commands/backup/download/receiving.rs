//! A download over as many streams as necessary.

use std::io::Write;

use anyhow::{Error, Result};
use strongroom_api::backup::v1::{DownloadBackupRequest, DownloadBackupResponse};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Status};

use super::object::Object;
use super::transfer::{Transfer, Untaken};
use crate::commands::retries::{Retries, is_broken};
use crate::error::CallFailed;

/// Why a download ended early.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) error: Error,
    /// Whether a later process can continue it.
    pub(super) is_resumable: bool,
}

/// Continues `transfer` until its trailer. `open` begins a stream, `create` makes the sink, `failed` explains a status.
pub(super) async fn receive<S, W: Write>(
    transfer: &mut Transfer<W>,
    mut retries: Retries,
    mut open: impl AsyncFnMut(DownloadBackupRequest) -> Result<S, Status>,
    mut create: impl FnMut(&Object) -> Result<W>,
    failed: impl Fn(&Status) -> CallFailed,
) -> Result<(), Stopped>
where
    S: Stream<Item = Result<DownloadBackupResponse, Status>> + Unpin,
{
    // Before the first header, there is no reason to wait for a service that is not there.
    let mut is_running = false;
    loop {
        let begins_at = transfer.received();
        let request = transfer.request().map_err(|error| Stopped { error, is_resumable: false })?;
        let ended = match open(request).await {
            Ok(stream) => take_all(transfer, stream, &mut create).await,
            Err(status) => Err(Ended::Status(status)),
        };
        let Err(ended) = ended else { return Ok(()) };
        if transfer.received() > begins_at {
            retries.went_on();
        }
        is_running |= transfer.was_answered();
        let (stopped, may_pass) = ended.judge(&failed, is_running);
        if !(may_pass && is_running && retries.another().await) {
            return Err(stopped);
        }
    }
}

/// How a stream ended without its trailer.
enum Ended {
    Early,
    Status(Status),
    Untaken(Untaken),
}

impl Ended {
    /// The reason, and whether another stream can continue at once.
    fn judge(self, failed: &impl Fn(&Status) -> CallFailed, is_running: bool) -> (Stopped, bool) {
        match self {
            Self::Early => {
                let error = Error::msg("the stream ended without its trailer");
                (Stopped { error, is_resumable: true }, true)
            }
            Self::Untaken(Untaken::Unwritten(error)) => (Stopped { error, is_resumable: true }, false),
            Self::Untaken(Untaken::Wrong(error)) => {
                let error = error.context("the download must start again, without --resume");
                (Stopped { error, is_resumable: false }, false)
            }
            Self::Status(status) => {
                let failed = failed(&status);
                // The service may still count the broken stream towards its limit.
                let is_counted = is_running && status.code() == Code::ResourceExhausted;
                let may_pass = is_counted || is_broken(&status, &failed);
                let is_resumable = !is_final(&status);
                (Stopped { error: failed.into(), is_resumable }, may_pass)
            }
        }
    }
}

/// Errors that the rest of the same file would get tomorrow as well. A failed precondition is not one of them: it can
/// be met by then, for example with new credentials of a destination.
fn is_final(status: &Status) -> bool {
    let code = status.code();
    matches!(
        code,
        Code::Aborted
            | Code::DataLoss
            | Code::InvalidArgument
            | Code::NotFound
            | Code::OutOfRange
            | Code::Unimplemented
    )
}

async fn take_all<S, W: Write>(
    transfer: &mut Transfer<W>,
    mut stream: S,
    create: &mut impl FnMut(&Object) -> Result<W>,
) -> Result<(), Ended>
where
    S: Stream<Item = Result<DownloadBackupResponse, Status>> + Unpin,
{
    let mut is_complete = false;
    loop {
        match stream.next().await {
            Some(Ok(message)) => {
                is_complete = transfer.take(message, &mut *create).map_err(Ended::Untaken)?;
            }
            // The trailer completes the download, however the connection ends after it.
            _ if is_complete => return Ok(()),
            Some(Err(status)) => return Err(Ended::Status(status)),
            None => return Err(Ended::Early),
        }
    }
}

#[cfg(test)]
mod tests;
