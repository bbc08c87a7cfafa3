//! What the vault is asked while an archive is verified: to open its seal, whose signature it is, and whether its
//! values would open.

use std::time::{Duration, Instant};

use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::check_decryptable_response::Verdict;
use strongroom_api::vault::v1::{
    CheckDecryptableRequest, CheckDecryptableResponse, ExportSigningKeyRequest, UnwrapFileKeyRequest,
    WrappedFileKey,
};
use strongroom_archive::seal::{FileKey, VaultStanza};
use strongroom_crypto::PUBLIC_KEY_BYTES;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{Vault, limited};
use crate::error::{Error, Result};

/// The longest that the vault may think about 1,000 values.
const ANSWER: Duration = Duration::from_secs(30);
/// The vault ends a stream of checks after an hour; a new one is begun well before.
const LIFE: Duration = Duration::from_secs(30 * 60);

/// A public half of the vault's signing key.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) public: [u8; PUBLIC_KEY_BYTES],
}

impl Vault {
    /// The file key in the first of `stanzas` that opens; in the inner error why the vault opens none of them.
    ///
    /// # Errors
    /// As of the other calls, when the vault cannot say.
    pub(crate) async fn unwrap_file_key(&self, stanzas: &[VaultStanza]) -> Result<Result<FileKey, String>> {
        let stanza = |stanza: &VaultStanza| WrappedFileKey {
            root_key_id: stanza.root_key_id().to_owned(),
            wrapped: stanza.wrapped().to_vec().into(),
        };
        let request = limited(UnwrapFileKeyRequest { stanzas: stanzas.iter().map(stanza).collect() });
        match self.seals.clone().unwrap_file_key(request).await {
            Ok(answer) => {
                let key = FileKey::from_slice(&answer.into_inner().file_key);
                let strange = || Error::Defect("the vault's file key has another form".into());
                key.map(Ok).ok_or_else(strange)
            }
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument) => {
                Ok(Err(status.message().to_owned()))
            }
            Err(status) => Err(self.error(status)),
        }
    }

    /// Public halves of the versions that are in use; those that were disabled or destroyed sign for nobody any more.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        let answer = self.crypto.clone().export_signing_key(limited(ExportSigningKeyRequest {})).await;
        let keys = answer.map_err(|status| self.error(status))?.into_inner().keys;
        let mut known = Vec::with_capacity(keys.len());
        for key in keys {
            let public = hex::decode(&key.public_key).ok().and_then(|bytes| bytes.try_into().ok());
            let strange = || Error::Defect("the vault's signing key has another form".into());
            known.push(SigningKey { kid: key.kid, public: public.ok_or_else(strange)? });
        }
        Ok(known)
    }

    /// Begins a stream of questions.
    pub(crate) async fn begin_checks(&self) -> Result<Checks> {
        let (questions, queue) = mpsc::channel(1);
        let mut crypto = self.crypto.clone();
        let answer = crypto.check_decryptable(ReceiverStream::new(queue));
        let answer = tokio::time::timeout(ANSWER, answer).await.map_err(|_| self.silent())?;
        let answers = answer.map_err(|status| self.error(status))?.into_inner();
        Ok(Checks { vault: self.clone(), questions, answers, began: Instant::now() })
    }

    fn silent(&self) -> Error {
        self.error(Status::deadline_exceeded(format!("no answer within {} s", ANSWER.as_secs())))
    }
}

/// An open stream of `CheckDecryptable`. The vault minds when nothing comes for a minute: finish it before.
pub(crate) struct Checks {
    vault: Vault,
    questions: mpsc::Sender<CheckDecryptableRequest>,
    answers: Streaming<CheckDecryptableResponse>,
    began: Instant,
}

impl Checks {
    /// Whether it is time for another stream.
    pub(crate) fn is_old(&self) -> bool {
        self.began.elapsed() >= LIFE
    }

    /// A verdict for each of up to 1,000 items, in their order.
    pub(crate) async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Verdict>> {
        let asked = items.len();
        // A stream that has ended says why when its answer is taken.
        let _ = self.questions.send(CheckDecryptableRequest { items }).await;
        match next(&self.vault, &mut self.answers).await? {
            Some(answer) if answer.verdicts.len() == asked => Ok(answer.verdicts),
            _ => Err(Error::Defect("the vault did not answer for each value that it was asked about".into())),
        }
    }

    /// Ends the stream. The vault has its event of it once this returns.
    pub(crate) async fn finish(self) -> Result<()> {
        let Self { vault, questions, mut answers, .. } = self;
        drop(questions);
        match next(&vault, &mut answers).await? {
            None => Ok(()),
            Some(_) => Err(Error::Defect("the vault gave a verdict that nobody asked for".into())),
        }
    }
}

async fn next(
    vault: &Vault,
    answers: &mut Streaming<CheckDecryptableResponse>,
) -> Result<Option<CheckDecryptableResponse>> {
    let answer = tokio::time::timeout(ANSWER, answers.message()).await;
    answer.map_err(|_| vault.silent())?.map_err(|status| vault.error(status))
}
