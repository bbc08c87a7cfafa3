//! Checks whether sealed values open: a stream of questions and verdicts.

use bytes::Bytes;
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::check_decryptable_response::Verdict;
use strongroom_api::vault::v1::{CheckDecryptableRequest, CheckDecryptableResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::asking::Asking;
use super::client::VaultClient;
use crate::error::{Error, Result};

/// An open stream of `CheckDecryptable`.
pub(crate) struct Checks(Asking<CheckDecryptableRequest, CheckDecryptableResponse>);

impl VaultClient {
    /// Begins a stream of questions. If `ring` is given, the key versions of that archive's ring are used too.
    pub(crate) async fn begin_checks(&self, ring: Option<&Bytes>) -> Result<Checks> {
        let (questions, queue) = mpsc::channel(1);
        if let Some(ring) = ring {
            let first = CheckDecryptableRequest { ring: ring.clone(), ..Default::default() };
            // The channel has room for one message.
            let _ = questions.send(first).await;
        }
        let mut crypto = self.crypto.clone();
        let call = crypto.check_decryptable(ReceiverStream::new(queue));
        let mut asking = Asking::begin(self, questions, call).await?;
        if ring.is_some() {
            asking.next().await?;
        }
        Ok(Checks(asking))
    }
}

impl Checks {
    /// Whether it should be replaced by another stream.
    pub(crate) fn is_old(&self) -> bool {
        self.0.is_old()
    }

    /// A verdict for each of up to [`strongroom_api::limits::BATCH_ITEMS`] items, in order.
    pub(crate) async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Verdict>> {
        let asked = items.len();
        match self.0.ask(CheckDecryptableRequest { items, ..Default::default() }).await? {
            Some(answer) if answer.verdicts.len() == asked => Ok(answer.verdicts),
            _ => Err(Error::Defect("the vault did not answer for each value that it was asked about".into())),
        }
    }

    /// Ends the stream. When this returns, the vault has recorded its event.
    pub(crate) async fn finish(self) -> Result<()> {
        self.0.finish().await
    }
}
