//! A stream of questions that the vault answers in order.

use std::time::{Duration, Instant};

use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use tokio::sync::mpsc;
use tonic::{Response, Status, Streaming};

use super::client::VaultClient;
use crate::error::{Error, Result};

/// Maximum time for the vault's answer to one batch.
const ANSWER: Duration = Duration::from_secs(30);
/// Maximum time without a question: well below the vault's own limit.
pub(crate) const QUIET: Duration = Duration::from_secs(CHECK_IDLE.as_secs() / 3);
/// Half of the lifetime that the vault allows.
const LIFE: Duration = Duration::from_secs(CHECK_LIFE.as_secs() / 2);

/// An open stream. The vault ends a stream that is silent or old, so finish it earlier.
pub(super) struct Asking<Q, A> {
    vault: VaultClient,
    questions: mpsc::Sender<Q>,
    answers: Streaming<A>,
    began: Instant,
}

impl<Q, A> Asking<Q, A> {
    /// Opens the stream: waits for the answer to `call`, which sends the messages of the channel `questions`.
    pub(super) async fn begin(
        vault: &VaultClient,
        questions: mpsc::Sender<Q>,
        call: impl Future<Output = Result<Response<Streaming<A>>, Status>>,
    ) -> Result<Self> {
        let answer = tokio::time::timeout(ANSWER, call).await.map_err(|_| silent(vault))?;
        let answers = answer.map_err(|status| vault.error(status))?.into_inner();
        Ok(Self { vault: vault.clone(), questions, answers, began: Instant::now() })
    }

    /// Whether another stream should replace this one.
    pub(super) fn is_old(&self) -> bool {
        self.began.elapsed() >= LIFE
    }

    pub(super) async fn ask(&mut self, question: Q) -> Result<Option<A>> {
        // If the stream has ended, the next answer gives the reason.
        let _ = self.questions.send(question).await;
        self.next().await
    }

    /// The answer to a question that was already sent.
    pub(super) async fn next(&mut self) -> Result<Option<A>> {
        let answer = tokio::time::timeout(ANSWER, self.answers.message()).await;
        answer.map_err(|_| silent(&self.vault))?.map_err(|status| self.vault.error(status))
    }

    /// Ends the stream. When this returns, the vault has recorded its event.
    pub(super) async fn finish(mut self) -> Result<()> {
        // Dropping the sender ends the vault's input.
        self.questions = mpsc::channel(1).0;
        match self.next().await? {
            None => Ok(()),
            Some(_) => Err(Error::Defect("the vault sent an answer that was not asked for".into())),
        }
    }
}

fn silent(vault: &VaultClient) -> Error {
    vault.error(Status::deadline_exceeded(format!("no answer within {} s", ANSWER.as_secs())))
}
