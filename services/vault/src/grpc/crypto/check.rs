//! The stream of `CheckDecryptable`: answers in the order of the requests, one event at its end.
//!
//! A task of its own drives it, so that the event is written even if the client has left.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::{CheckDecryptableRequest, CheckDecryptableResponse};
use strongroom_crypto::KeyRing;
use strongroom_runtime::Caller;
use strongroom_runtime::status::status;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::convert::items;
use crate::crypto::{CheckTotals, Ciphertexts};
use crate::error::{DOMAIN, Error};
use crate::grpc::{MAX_BATCH, Replies, fields};
use crate::keys::ForeignRings;
use crate::store::Outcome;

/// How long a client may keep silent, or leave an answer unread.
const IDLE: Duration = strongroom_api::limits::CHECK_IDLE;
/// How long a stream may last.
const LIFE: Duration = strongroom_api::limits::CHECK_LIFE;

/// Starts answering `requests`.
pub(super) fn answer(
    (ciphertexts, rings): (Arc<Ciphertexts>, Arc<ForeignRings>),
    caller: Caller,
    requests: Streaming<CheckDecryptableRequest>,
) -> Replies<CheckDecryptableResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(drive((ciphertexts, rings), caller, requests, answers));
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
    (ciphertexts, rings): (Arc<Ciphertexts>, Arc<ForeignRings>),
    caller: Caller,
    mut requests: Streaming<CheckDecryptableRequest>,
    answers: Answers,
) {
    let mut totals = CheckTotals::default();
    let checking = check_all((&ciphertexts, &rings), &caller, &mut requests, &answers, &mut totals);
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
    (ciphertexts, rings): (&Ciphertexts, &ForeignRings),
    caller: &Caller,
    requests: &mut Streaming<CheckDecryptableRequest>,
    answers: &Answers,
    totals: &mut CheckTotals,
) -> Result<(), Ended> {
    let mut ring = None;
    for number in 0_u64.. {
        let silent = |_| Ended::Refused(too_slow("no request came for 60 s"));
        let request = match timeout(IDLE, requests.message()).await.map_err(silent)? {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(status) if status.code() == Code::OutOfRange => return Err(Ended::Refused(too_long())),
            Err(_) => return Err(Ended::Left),
        };
        if !request.ring.is_empty() {
            ring = Some(
                first_ring(rings, number, &request).await.map_err(|error| Ended::Refused(error.into()))?,
            );
        }
        let checked = ciphertexts.check(caller, ring.as_ref(), items(request.items), totals).await;
        let verdicts = checked.map_err(|error| Ended::Refused(error.into()))?;
        let verdicts = verdicts.into_iter().map(Into::into).collect();
        let unread = |_| Ended::Left;
        let sent = answers.send(Ok(CheckDecryptableResponse { verdicts }));
        timeout(IDLE, sent).await.map_err(unread)?.map_err(|_| Ended::Left)?;
    }
    Ok(())
}

/// The live ring with the versions of an archive's, which comes before everything else.
async fn first_ring(
    rings: &ForeignRings,
    number: u64,
    request: &CheckDecryptableRequest,
) -> Result<Arc<KeyRing>, Error> {
    if number > 0 || !request.items.is_empty() {
        let problem = "belongs into the first message, which has no items".to_owned();
        return Err(Error::Field { field: "ring", problem });
    }
    fields::ring("ring", &request.ring)?;
    rings.beside_live(&request.ring).await
}

/// The message cannot even be decoded.
fn too_long() -> Status {
    let problem = format!("has more than {MAX_BATCH} bytes in one message; send them in several");
    Error::Field { field: "items", problem }.into()
}

fn too_slow(message: &str) -> Status {
    status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", message, &[])
}
