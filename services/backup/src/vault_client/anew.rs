//! Values sealed under another root key, which the vault seals again while they are restored.

use bytes::Bytes;
use strongroom_api::source::v1::RestoreGrant;
use strongroom_api::vault::v1::reencrypt_archived_request::{Begin, Item};
use strongroom_api::vault::v1::reencrypt_archived_response::Result as Outcome;
use strongroom_api::vault::v1::{ReencryptArchivedRequest, ReencryptArchivedResponse, RestoreTerms};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::asking::Asking;
use super::client::VaultClient;
use crate::error::{Error, Result};

/// Parameters of a stream.
#[derive(Debug, Clone)]
pub(crate) struct SealingAnew {
    pub(crate) terms: RestoreTerms,
    pub(crate) grant: Bytes,
    /// The archive's `keys/ring.json`.
    pub(crate) ring: Bytes,
}

/// An open stream of `ReencryptArchived`.
pub(crate) struct AnewStream(Asking<ReencryptArchivedRequest, ReencryptArchivedResponse>);

impl VaultClient {
    /// # Errors
    /// The vault's errors, also if the grant is not valid.
    pub(crate) async fn begin_anew(&self, with: &SealingAnew) -> Result<AnewStream> {
        let (questions, queue) = mpsc::channel(1);
        let begin = Begin {
            terms: Some(with.terms.clone()),
            grant: Some(RestoreGrant { statement: with.grant.clone() }),
            ring: with.ring.clone(),
        };
        // The channel has room for one message.
        let _ = questions.send(ReencryptArchivedRequest { begin: Some(begin), ..Default::default() }).await;
        let mut grants = self.grants.clone();
        let call = grants.reencrypt_archived(ReceiverStream::new(queue));
        let mut asking = Asking::begin(self, questions, call).await?;
        asking.next().await?;
        Ok(AnewStream(asking))
    }
}

impl AnewStream {
    /// Whether it should be replaced by another stream.
    pub(crate) fn is_old(&self) -> bool {
        self.0.is_old()
    }

    /// The results for up to [`strongroom_api::limits::BATCH_ITEMS`] items, in order.
    ///
    /// # Errors
    /// The vault's errors.
    pub(crate) async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Outcome>> {
        let asked = items.len();
        match self.0.ask(ReencryptArchivedRequest { items, ..Default::default() }).await? {
            Some(answer) if answer.results.len() == asked => Ok(answer.results),
            _ => {
                Err(Error::Defect("the vault did not answer for each value that it was to seal again".into()))
            }
        }
    }

    /// Ends the stream. When this returns, the vault has recorded its event.
    ///
    /// # Errors
    /// The vault's errors.
    pub(crate) async fn finish(self) -> Result<()> {
        self.0.finish().await
    }
}
