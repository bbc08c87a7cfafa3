//! Streams of requests that are answered in order: time limits for the client, and the end of such a stream.

use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use strongroom_runtime::status::status;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::MAX_BATCH;
use crate::error::{DOMAIN, Error};
use crate::store::Outcome;

/// Reason why a stream ended before its last request.
pub(super) enum Ended {
    /// The client has left.
    Left,
    /// The stream ends with this status.
    Refused(Status),
}

impl From<Error> for Ended {
    fn from(refusal: Error) -> Self {
        Self::Refused(refusal.into())
    }
}

/// The channel for answers.
pub(super) struct Answers<A>(pub(super) mpsc::Sender<Result<A, Status>>);

impl<A> Answers<A> {
    /// Sends one answer, which the client must accept within a minute.
    pub(super) async fn send(&self, answer: A) -> Result<(), Ended> {
        let sent = timeout(CHECK_IDLE, self.0.send(Ok(answer))).await;
        sent.map_err(|_| Ended::Left)?.map_err(|_| Ended::Left)
    }

    /// Sends the reason for the stream's end, if the client still listens.
    pub(super) async fn refuse(&self, refusal: Status) {
        let _ = timeout(CHECK_IDLE, self.0.send(Err(refusal))).await;
    }

    /// Ends a stream; `recorded` is the result of recording its event.
    pub(super) async fn end(&self, ended: Result<(), Ended>, recorded: Result<(), Error>) {
        match (ended, recorded) {
            (Err(Ended::Refused(status)), _) => self.refuse(status).await,
            (_, Err(error)) => self.refuse(error.into()).await,
            _ => {}
        }
    }
}

/// Outcome in the stream's event.
pub(super) fn outcome_of(ended: &Result<(), Ended>) -> Outcome {
    match ended {
        Ok(()) => Outcome::Success,
        Err(Ended::Left) => Outcome::Aborted,
        Err(Ended::Refused(_)) => Outcome::Failed,
    }
}

/// The next request, which must arrive within a minute; `None` after the last one.
pub(super) async fn next<Q>(questions: &mut Streaming<Q>) -> Result<Option<Q>, Ended> {
    let silent = |_| Ended::Refused(too_slow("no request arrived for 60 s"));
    match timeout(CHECK_IDLE, questions.message()).await.map_err(silent)? {
        Ok(question) => Ok(question),
        Err(status) if status.code() == Code::OutOfRange => Err(Ended::Refused(too_long())),
        Err(_) => Err(Ended::Left),
    }
}

/// Limits all of a stream's work to an hour.
pub(super) async fn within_life(work: impl Future<Output = Result<(), Ended>>) -> Result<(), Ended> {
    let late =
        |_| Err(Ended::Refused(too_slow("the stream has lasted an hour; send the rest in another one")));
    timeout(CHECK_LIFE, work).await.unwrap_or_else(late)
}

/// A message that is too long to be decoded.
fn too_long() -> Status {
    let problem = format!("has more than {MAX_BATCH} bytes in one message; send them in several");
    Error::Field { field: "items", problem }.into()
}

fn too_slow(message: &str) -> Status {
    status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", message, &[])
}
