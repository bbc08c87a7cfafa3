//! The stream of `ReencryptArchived`: answers in the order of the requests, and one event at its end.
//!
//! It runs in its own task, so the event is written even if the client has left.

use std::sync::Arc;

use strongroom_api::vault::v1::reencrypt_archived_request::{Begin, Item};
use strongroom_api::vault::v1::reencrypt_archived_response::Result as Outcome;
use strongroom_api::vault::v1::{ReencryptArchivedRequest, ReencryptArchivedResponse};
use strongroom_crypto::KeyRing;
use strongroom_runtime::Caller;
use strongroom_runtime::status::reason_of;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::bootstrap::Vault;
use crate::crypto::{AnewTotals, Ciphertext, Sealed};
use crate::error::Error;
use crate::grpc::questions::{self, Ended, next, outcome_of, within_life};
use crate::grpc::source::{OF_TERMS, terms};
use crate::grpc::{Replies, fields};

/// Starts answering `requests`.
pub(super) fn answer(
    vault: Arc<Vault>,
    caller: Caller,
    requests: Streaming<ReencryptArchivedRequest>,
) -> Replies<ReencryptArchivedResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(drive(vault, caller, requests, questions::Answers(answers)));
    Box::pin(ReceiverStream::new(receiver))
}

type Answers = questions::Answers<ReencryptArchivedResponse>;

async fn drive(
    vault: Arc<Vault>,
    caller: Caller,
    mut requests: Streaming<ReencryptArchivedRequest>,
    answers: Answers,
) {
    let mut stream = match begin(&vault, &caller, &mut requests).await {
        Ok(stream) => stream,
        Err(Ended::Refused(refusal)) => return answers.refuse(refusal).await,
        Err(Ended::Left) => return,
    };
    let ended = within_life(stream.all(&vault, &mut requests, &answers)).await;
    let (totals, outcome) = (&stream.totals, outcome_of(&ended));
    let recorded = vault.ciphertexts.finish_anew(&stream.granter, &stream.restore_id, totals, outcome).await;
    answers.end(ended, recorded).await;
}

/// A stream with a valid grant.
struct Stream {
    caller: Caller,
    granter: Caller,
    restore_id: String,
    /// The live ring plus the archive's versions.
    joined: Arc<KeyRing>,
    totals: AnewTotals,
}

async fn begin(
    vault: &Vault,
    caller: &Caller,
    requests: &mut Streaming<ReencryptArchivedRequest>,
) -> Result<Stream, Ended> {
    let first = next(requests).await?;
    let missing = || Error::Field { field: "begin", problem: "must be the first message".into() };
    let Begin { terms: given, grant, ring } = first.and_then(|first| first.begin).ok_or_else(missing)?;
    fields::ring("begin.ring", &ring)?;
    let terms = terms(&OF_TERMS, &given.ok_or_else(missing)?)?;
    let grant = grant.map(|grant| grant.statement).unwrap_or_default();
    let digest = terms.digest()?;
    let granted = vault.grants.open(&caller.principal.id, &grant, &digest).await?;
    let opened = vault.foreign_rings.open(&ring).await?;
    terms.check_deployment_of(&opened)?;
    Ok(Stream {
        caller: caller.clone(),
        granter: granted.acting(caller),
        restore_id: terms.restore_id,
        joined: opened.joined,
        totals: AnewTotals::default(),
    })
}

impl Stream {
    async fn all(
        &mut self,
        vault: &Vault,
        requests: &mut Streaming<ReencryptArchivedRequest>,
        answers: &Answers,
    ) -> Result<(), Ended> {
        answers.send(ReencryptArchivedResponse::default()).await?;
        while let Some(request) = next(requests).await? {
            let items: Vec<Sealed> = request.items.into_iter().map(sealed).collect();
            for key_id in vault.ciphertexts.missing_keys(&self.joined, &items)? {
                match vault.keys.create(&self.granter, &key_id).await {
                    // In the second case, another stream has just created it.
                    Ok(_) | Err(Error::KeyExists(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let outcomes =
                vault.ciphertexts.seal_anew(&self.caller, &self.joined, items, &mut self.totals).await?;
            let results = outcomes.into_iter().map(outcome).collect();
            answers.send(ReencryptArchivedResponse { results }).await?;
        }
        Ok(())
    }
}

fn sealed(item: Item) -> Sealed {
    let Item { key_id, ciphertext, aad } = item;
    Sealed { key_id, ciphertext, aad }
}

fn outcome(outcome: Result<Ciphertext, Error>) -> Outcome {
    match outcome {
        Ok(sealed) => Outcome { ciphertext: sealed.text, reason: String::new() },
        Err(error) => Outcome { ciphertext: String::new(), reason: reason_of(&error.into()) },
    }
}
