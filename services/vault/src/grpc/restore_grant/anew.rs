//! The stream of `ReencryptArchived`: answers in the order of the requests, one event at its end.
//!
//! A task of its own drives it, so that the event is written even if the client has left.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use strongroom_api::vault::v1::reencrypt_archived_request::{Begin, Item};
use strongroom_api::vault::v1::reencrypt_archived_response::Result as Outcome;
use strongroom_api::vault::v1::{ReencryptArchivedRequest, ReencryptArchivedResponse};
use strongroom_crypto::KeyRing;
use strongroom_runtime::Caller;
use strongroom_runtime::status::{reason_of, status};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::bootstrap::Vault;
use crate::crypto::{AnewTotals, Ciphertext, Sealed};
use crate::error::{DOMAIN, Error};
use crate::grpc::source::{OF_TERMS, terms};
use crate::grpc::{Replies, fields};
use crate::store;

/// How long a client may keep silent, or leave an answer unread.
const IDLE: Duration = CHECK_IDLE;
/// How long a stream may last.
const LIFE: Duration = CHECK_LIFE;

/// Starts answering `requests`.
pub(super) fn answer(
    vault: Arc<Vault>,
    caller: Caller,
    requests: Streaming<ReencryptArchivedRequest>,
) -> Replies<ReencryptArchivedResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(drive(vault, caller, requests, answers));
    Box::pin(ReceiverStream::new(receiver))
}

type Answers = mpsc::Sender<Result<ReencryptArchivedResponse, Status>>;

async fn drive(
    vault: Arc<Vault>,
    caller: Caller,
    mut requests: Streaming<ReencryptArchivedRequest>,
    answers: Answers,
) {
    let work = begin(&vault, &caller, &mut requests);
    let mut stream = match work.await {
        Ok(stream) => stream,
        Err(refusal) => {
            // The client may have left.
            let _ = answers.send(Err(refusal)).await;
            return;
        }
    };
    let worked = timeout(LIFE, stream.all(&vault, &mut requests, &answers)).await;
    let worked = worked
        .unwrap_or_else(|_| Err(too_slow("the stream has lasted an hour; send the rest in another one")));
    let outcome = if worked.is_ok() { store::Outcome::Success } else { store::Outcome::Failed };
    let recorded = vault
        .ciphertexts
        .finish_anew((&stream.granter, &caller), &stream.restore_id, &stream.totals, outcome)
        .await;
    if let Err(refusal) = worked.and(recorded.map_err(Status::from)) {
        let _ = answers.send(Err(refusal)).await;
    }
}

/// A stream whose grant is good.
struct Stream {
    caller: Caller,
    granter: Caller,
    restore_id: String,
    /// The live ring with the archive's versions.
    joined: Arc<KeyRing>,
    totals: AnewTotals,
}

async fn begin(
    vault: &Vault,
    caller: &Caller,
    requests: &mut Streaming<ReencryptArchivedRequest>,
) -> Result<Stream, Status> {
    let first = next(requests).await?;
    let missing = || Error::Field { field: "begin", problem: "must be the first message".into() };
    let Begin { terms: given, grant, ring } = first.and_then(|first| first.begin).ok_or_else(missing)?;
    fields::ring("begin.ring", &ring)?;
    let terms = terms(&OF_TERMS, &given.ok_or_else(missing)?)?;
    let grant = grant.map(|grant| grant.statement).unwrap_or_default();
    let digest = terms.digest()?;
    let granted = vault.grants.open(&caller.principal.id, &grant, &digest).await?;
    let opened = vault.foreign_rings.open(&ring).await?;
    let mut granter = caller.clone();
    granter.principal.id = granted.principal;
    granter.principal.name = granted.name;
    Ok(Stream {
        caller: caller.clone(),
        granter,
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
    ) -> Result<(), Status> {
        send(answers, Vec::new()).await?;
        while let Some(request) = next(requests).await? {
            let items: Vec<Sealed> = request.items.into_iter().map(sealed).collect();
            for key_id in vault.ciphertexts.missing_keys(&self.joined, &items) {
                match vault.keys.create(&self.granter, &key_id).await {
                    // Another stream has made it a moment ago.
                    Ok(_) | Err(Error::KeyExists(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let outcomes =
                vault.ciphertexts.seal_anew(&self.caller, &self.joined, items, &mut self.totals).await?;
            send(answers, outcomes.into_iter().map(outcome).collect()).await?;
        }
        Ok(())
    }
}

async fn send(answers: &Answers, results: Vec<Outcome>) -> Result<(), Status> {
    let left = || Status::cancelled("the client has left");
    let sent = answers.send(Ok(ReencryptArchivedResponse { results }));
    timeout(IDLE, sent).await.map_err(|_| left())?.map_err(|_| left())
}

async fn next(
    requests: &mut Streaming<ReencryptArchivedRequest>,
) -> Result<Option<ReencryptArchivedRequest>, Status> {
    timeout(IDLE, requests.message()).await.map_err(|_| too_slow("no request came for 60 s"))?
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

fn too_slow(message: &str) -> Status {
    status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", message, &[])
}
