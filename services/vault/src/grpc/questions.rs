//! Streams of questions that are answered in their order: how long a client may take, and how such a stream ends.

use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use strongroom_runtime::status::status;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::MAX_BATCH;
use crate::error::{DOMAIN, Error};
use crate::store::Outcome;

/// How a stream ended before its questions did.
pub(super) enum Ended {
    /// The client left.
    Left,
    /// The stream ends with this status.
    Refused(Status),
}

impl From<Error> for Ended {
    fn from(refusal: Error) -> Self {
        Self::Refused(refusal.into())
    }
}

/// Where answers go.
pub(super) struct Answers<A>(pub(super) mpsc::Sender<Result<A, Status>>);

impl<A> Answers<A> {
    /// One answer, which the client takes within a minute.
    pub(super) async fn send(&self, answer: A) -> Result<(), Ended> {
        let sent = timeout(CHECK_IDLE, self.0.send(Ok(answer))).await;
        sent.map_err(|_| Ended::Left)?.map_err(|_| Ended::Left)
    }

    /// Why the stream ends, for a client that still listens.
    pub(super) async fn refuse(&self, refusal: Status) {
        let _ = timeout(CHECK_IDLE, self.0.send(Err(refusal))).await;
    }

    /// The end of a stream whose event was `recorded`.
    pub(super) async fn end(&self, ended: Result<(), Ended>, recorded: Result<(), Error>) {
        match (ended, recorded) {
            (Err(Ended::Refused(status)), _) => self.refuse(status).await,
            (_, Err(error)) => self.refuse(error.into()).await,
            _ => {}
        }
    }
}

/// What the event of a stream says.
pub(super) fn outcome_of(ended: &Result<(), Ended>) -> Outcome {
    match ended {
        Ok(()) => Outcome::Success,
        Err(Ended::Left) => Outcome::Aborted,
        Err(Ended::Refused(_)) => Outcome::Failed,
    }
}

/// The next question, which comes within a minute; `None` after the last one.
pub(super) async fn next<Q>(questions: &mut Streaming<Q>) -> Result<Option<Q>, Ended> {
    let silent = |_| Ended::Refused(too_slow("no request came for 60 s"));
    match timeout(CHECK_IDLE, questions.message()).await.map_err(silent)? {
        Ok(question) => Ok(question),
        Err(status) if status.code() == Code::OutOfRange => Err(Ended::Refused(too_long())),
        Err(_) => Err(Ended::Left),
    }
}

/// All of a stream's work, within an hour.
pub(super) async fn within_life(work: impl Future<Output = Result<(), Ended>>) -> Result<(), Ended> {
    let late =
        |_| Err(Ended::Refused(too_slow("the stream has lasted an hour; send the rest in another one")));
    timeout(CHECK_LIFE, work).await.unwrap_or_else(late)
}

/// The message cannot even be decoded.
fn too_long() -> Status {
    let problem = format!("has more than {MAX_BATCH} bytes in one message; send them in several");
    Error::Field { field: "items", problem }.into()
}

fn too_slow(message: &str) -> Status {
    status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", message, &[])
}
