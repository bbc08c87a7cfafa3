//! Values that another root key sealed, sealed anew by the vault on their way into a restore.

use std::time::Duration;

use bytes::Bytes;
use strongroom_api::source::v1::RestoreGrant;
use strongroom_api::vault::v1::reencrypt_archived_request::{Begin, Item};
use strongroom_api::vault::v1::reencrypt_archived_response::Result as Outcome;
use strongroom_api::vault::v1::{ReencryptArchivedRequest, ReencryptArchivedResponse, RestoreTerms};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::client::VaultClient;
use crate::error::{Error, Result};

/// The longest that the vault may think about one batch.
const ANSWER: Duration = Duration::from_secs(30);

/// What a stream needs.
#[derive(Debug, Clone)]
pub(crate) struct SealingAnew {
    pub(crate) terms: RestoreTerms,
    pub(crate) grant: Bytes,
    /// The archive's `keys/ring.json`.
    pub(crate) ring: Bytes,
}

/// An open stream of `ReencryptArchived`. The vault ends one that is silent for a minute.
pub(crate) struct AnewStream {
    vault: VaultClient,
    questions: mpsc::Sender<ReencryptArchivedRequest>,
    answers: Streaming<ReencryptArchivedResponse>,
}

impl VaultClient {
    /// # Errors
    /// The vault's: also where the grant is not good.
    pub(crate) async fn begin_anew(&self, with: &SealingAnew) -> Result<AnewStream> {
        let (questions, queue) = mpsc::channel(1);
        let begin = Begin {
            terms: Some(with.terms.clone()),
            grant: Some(RestoreGrant { statement: with.grant.clone() }),
            ring: with.ring.clone(),
        };
        // There is room for it.
        let _ = questions.send(ReencryptArchivedRequest { begin: Some(begin), ..Default::default() }).await;
        let mut grants = self.grants.clone();
        let answer = grants.reencrypt_archived(ReceiverStream::new(queue));
        let answer = tokio::time::timeout(ANSWER, answer).await.map_err(|_| silent(self))?;
        let mut answers = answer.map_err(|status| self.error(status))?.into_inner();
        next(self, &mut answers).await?;
        Ok(AnewStream { vault: self.clone(), questions, answers })
    }
}

impl AnewStream {
    /// What became of each of up to [`strongroom_api::limits::BATCH_ITEMS`] items, in their order.
    ///
    /// # Errors
    /// The vault's.
    pub(crate) async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Outcome>> {
        let asked = items.len();
        // A stream that has ended says why when its answer is taken.
        let _ = self.questions.send(ReencryptArchivedRequest { items, ..Default::default() }).await;
        match next(&self.vault, &mut self.answers).await? {
            Some(answer) if answer.results.len() == asked => Ok(answer.results),
            _ => {
                Err(Error::Defect("the vault did not answer for each value that it was to seal anew".into()))
            }
        }
    }

    /// Ends the stream. The vault has its event of it once this returns.
    ///
    /// # Errors
    /// The vault's.
    pub(crate) async fn finish(self) -> Result<()> {
        let Self { vault, questions, mut answers } = self;
        drop(questions);
        next(&vault, &mut answers).await.map(drop)
    }
}

async fn next(
    vault: &VaultClient,
    answers: &mut Streaming<ReencryptArchivedResponse>,
) -> Result<Option<ReencryptArchivedResponse>> {
    let answer = tokio::time::timeout(ANSWER, answers.message()).await;
    answer.map_err(|_| silent(vault))?.map_err(|status| vault.error(status))
}

fn silent(vault: &VaultClient) -> Error {
    vault.error(Status::deadline_exceeded(format!("no answer within {} s", ANSWER.as_secs())))
}
