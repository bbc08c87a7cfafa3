//! Whether sealed values would open: a stream of questions and verdicts.

use std::time::{Duration, Instant};

use bytes::Bytes;
use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::check_decryptable_response::Verdict;
use strongroom_api::vault::v1::{CheckDecryptableRequest, CheckDecryptableResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::client::VaultClient;
use crate::error::{Error, Result};

/// The longest that the vault may think about one batch.
const ANSWER: Duration = Duration::from_secs(30);

/// An open stream of `CheckDecryptable`. The vault ends one that is silent or old: finish it before.
pub(crate) struct Checks {
    vault: VaultClient,
    questions: mpsc::Sender<CheckDecryptableRequest>,
    answers: Streaming<CheckDecryptableResponse>,
    began: Instant,
}

impl VaultClient {
    /// Begins a stream of questions, which versions of an archive's ring answer too, where one is given.
    pub(crate) async fn begin_checks(&self, ring: Option<&Bytes>) -> Result<Checks> {
        let (questions, queue) = mpsc::channel(1);
        if let Some(ring) = ring {
            let first = CheckDecryptableRequest { ring: ring.clone(), ..Default::default() };
            // There is room for it.
            let _ = questions.send(first).await;
        }
        let mut crypto = self.crypto.clone();
        let answer = crypto.check_decryptable(ReceiverStream::new(queue));
        let answer = tokio::time::timeout(ANSWER, answer).await.map_err(|_| self.silent())?;
        let mut answers = answer.map_err(|status| self.error(status))?.into_inner();
        if ring.is_some() {
            next(self, &mut answers).await?;
        }
        Ok(Checks { vault: self.clone(), questions, answers, began: Instant::now() })
    }

    fn silent(&self) -> Error {
        self.error(Status::deadline_exceeded(format!("no answer within {} s", ANSWER.as_secs())))
    }
}

impl Checks {
    /// How long nothing may be asked: well below what the vault minds.
    pub(crate) const QUIET: Duration = Duration::from_secs(CHECK_IDLE.as_secs() / 3);
    /// Half the life that the vault allows.
    const LIFE: Duration = Duration::from_secs(CHECK_LIFE.as_secs() / 2);

    /// Whether it is time for another stream.
    pub(crate) fn is_old(&self) -> bool {
        self.began.elapsed() >= Self::LIFE
    }

    /// A verdict for each of up to [`strongroom_api::limits::BATCH_ITEMS`] items, in their order.
    pub(crate) async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Verdict>> {
        let asked = items.len();
        // A stream that has ended says why when its answer is taken.
        let _ = self.questions.send(CheckDecryptableRequest { items, ..Default::default() }).await;
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
    vault: &VaultClient,
    answers: &mut Streaming<CheckDecryptableResponse>,
) -> Result<Option<CheckDecryptableResponse>> {
    let answer = tokio::time::timeout(ANSWER, answers.message()).await;
    answer.map_err(|_| vault.silent())?.map_err(|status| vault.error(status))
}
