//! The stream of `CheckDecryptable`: answers in the order of the requests, one event at its end.
//!
//! A task of its own drives it, so that the event is written even if the client has left.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::{CheckDecryptableRequest, CheckDecryptableResponse};
use strongroom_runtime::Caller;
use strongroom_runtime::status::status;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::convert::items;
use crate::crypto::{CheckTotals, Ciphertexts};
use crate::error::{DOMAIN, Error};
use crate::grpc::{MAX_BATCH, Replies};
use crate::store::Outcome;

/// How long a client may keep silent, or leave an answer unread.
const IDLE: Duration = strongroom_api::limits::CHECK_IDLE;
/// How long a stream may last.
const LIFE: Duration = strongroom_api::limits::CHECK_LIFE;

/// Starts answering `requests`.
pub(super) fn answer(
    ciphertexts: Arc<Ciphertexts>,
    caller: Caller,
    requests: Streaming<CheckDecryptableRequest>,
) -> Replies<CheckDecryptableResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(drive(ciphertexts, caller, requests, answers));
    Box::pin(ReceiverStream::new(receiver))
}

type Answers = mpsc::Sender<Result<CheckDecryptableResponse, Status>>;

/// How a stream ended before its requests did.
enum Ended {
    /// The client left.
    Left,
    /// The stream ends with this status.
    Refused(Status),
}

async fn drive(
    ciphertexts: Arc<Ciphertexts>,
    caller: Caller,
    mut requests: Streaming<CheckDecryptableRequest>,
    answers: Answers,
) {
    let mut totals = CheckTotals::default();
    let checking = check_all(&ciphertexts, &caller, &mut requests, &answers, &mut totals);
    let ended = timeout(LIFE, checking).await.unwrap_or_else(|_| {
        Err(Ended::Refused(too_slow("the stream has lasted an hour; check the rest in another one")))
    });
    let outcome = match &ended {
        Ok(()) => Outcome::Success,
        Err(Ended::Left) => Outcome::Aborted,
        Err(Ended::Refused(_)) => Outcome::Failed,
    };
    let recorded = ciphertexts.finish_check(&caller, &totals, outcome).await;
    let refusal = match (ended, recorded) {
        (Err(Ended::Refused(status)), _) => status,
        (_, Err(error)) => error.into(),
        _ => return,
    };
    // The client may have left.
    let _ = answers.send(Err(refusal)).await;
}

async fn check_all(
    ciphertexts: &Ciphertexts,
    caller: &Caller,
    requests: &mut Streaming<CheckDecryptableRequest>,
    answers: &Answers,
    totals: &mut CheckTotals,
) -> Result<(), Ended> {
    loop {
        let silent = |_| Ended::Refused(too_slow("no request came for 60 s"));
        let request = match timeout(IDLE, requests.message()).await.map_err(silent)? {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(status) if status.code() == Code::OutOfRange => return Err(Ended::Refused(too_long())),
            Err(_) => return Err(Ended::Left),
        };
        let checked = ciphertexts.check(caller, items(request.items), totals).await;
        let verdicts = checked.map_err(|error| Ended::Refused(error.into()))?;
        let verdicts = verdicts.into_iter().map(Into::into).collect();
        let unread = |_| Ended::Left;
        let sent = answers.send(Ok(CheckDecryptableResponse { verdicts }));
        timeout(IDLE, sent).await.map_err(unread)?.map_err(|_| Ended::Left)?;
    }
}

/// The message cannot even be decoded.
fn too_long() -> Status {
    let problem = format!("has more than {MAX_BATCH} bytes in one message; send them in several");
    Error::Field { field: "items", problem }.into()
}

fn too_slow(message: &str) -> Status {
    status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", message, &[])
}
