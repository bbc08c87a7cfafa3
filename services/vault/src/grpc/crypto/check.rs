//! The stream of `CheckDecryptable`: answers in the order of the requests, and one event at its end.
//!
//! It runs in its own task, so the event is written even if the client has left.

use std::sync::Arc;

use strongroom_api::vault::v1::{CheckDecryptableRequest, CheckDecryptableResponse};
use strongroom_crypto::KeyRing;
use strongroom_runtime::Caller;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::convert::items;
use crate::crypto::{CheckTotals, Ciphertexts};
use crate::error::Error;
use crate::grpc::questions::{Ended, next, outcome_of, within_life};
use crate::grpc::{Replies, fields, questions};
use crate::keys::ForeignRings;

/// Starts answering `requests`.
pub(super) fn answer(
    (ciphertexts, rings): (Arc<Ciphertexts>, Arc<ForeignRings>),
    caller: Caller,
    requests: Streaming<CheckDecryptableRequest>,
) -> Replies<CheckDecryptableResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(drive((ciphertexts, rings), caller, requests, questions::Answers(answers)));
    Box::pin(ReceiverStream::new(receiver))
}

type Answers = questions::Answers<CheckDecryptableResponse>;

async fn drive(
    (ciphertexts, rings): (Arc<Ciphertexts>, Arc<ForeignRings>),
    caller: Caller,
    mut requests: Streaming<CheckDecryptableRequest>,
    answers: Answers,
) {
    let mut totals = CheckTotals::default();
    let checking = check_all((&ciphertexts, &rings), &caller, &mut requests, &answers, &mut totals);
    let ended = within_life(checking).await;
    let recorded = ciphertexts.finish_check(&caller, &totals, outcome_of(&ended)).await;
    answers.end(ended, recorded).await;
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
        let Some(request) = next(requests).await? else { return Ok(()) };
        if !request.ring.is_empty() {
            ring = Some(first_ring(rings, number, &request).await?);
        }
        let verdicts = ciphertexts.check(caller, ring.as_ref(), items(request.items), totals).await?;
        let verdicts = verdicts.into_iter().map(Into::into).collect();
        answers.send(CheckDecryptableResponse { verdicts }).await?;
    }
    Ok(())
}

/// The live ring plus the versions of an archive's ring, which must be in the first message.
async fn first_ring(
    rings: &ForeignRings,
    number: u64,
    request: &CheckDecryptableRequest,
) -> Result<Arc<KeyRing>, Error> {
    if number > 0 || !request.items.is_empty() {
        let problem = "belongs in the first message, which has no items".to_owned();
        return Err(Error::Field { field: "ring", problem });
    }
    fields::ring("ring", &request.ring)?;
    rings.beside_live(&request.ring).await
}
