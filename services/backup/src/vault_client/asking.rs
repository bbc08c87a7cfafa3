//! A stream of questions that the vault answers in their order.

use std::time::{Duration, Instant};

use strongroom_api::limits::{CHECK_IDLE, CHECK_LIFE};
use tokio::sync::mpsc;
use tonic::{Response, Status, Streaming};

use super::client::VaultClient;
use crate::error::{Error, Result};

/// The longest that the vault may think about one batch.
const ANSWER: Duration = Duration::from_secs(30);
/// How long nothing may be asked: well below what the vault minds.
pub(crate) const QUIET: Duration = Duration::from_secs(CHECK_IDLE.as_secs() / 3);
/// Half the life that the vault allows.
const LIFE: Duration = Duration::from_secs(CHECK_LIFE.as_secs() / 2);

/// An open stream. The vault ends one that is silent or old: finish it before.
pub(super) struct Asking<Q, A> {
    vault: VaultClient,
    questions: mpsc::Sender<Q>,
    answers: Streaming<A>,
    began: Instant,
}

impl<Q, A> Asking<Q, A> {
    /// Over a `call` that takes what is sent to `questions`.
    pub(super) async fn begin(
        vault: &VaultClient,
        questions: mpsc::Sender<Q>,
        call: impl Future<Output = Result<Response<Streaming<A>>, Status>>,
    ) -> Result<Self> {
        let answer = tokio::time::timeout(ANSWER, call).await.map_err(|_| silent(vault))?;
        let answers = answer.map_err(|status| vault.error(status))?.into_inner();
        Ok(Self { vault: vault.clone(), questions, answers, began: Instant::now() })
    }

    /// Whether it is time for another stream.
    pub(super) fn is_old(&self) -> bool {
        self.began.elapsed() >= LIFE
    }

    pub(super) async fn ask(&mut self, question: Q) -> Result<Option<A>> {
        // A stream that has ended says why when its answer is taken.
        let _ = self.questions.send(question).await;
        self.next().await
    }

    /// The answer to a question that was sent already.
    pub(super) async fn next(&mut self) -> Result<Option<A>> {
        let answer = tokio::time::timeout(ANSWER, self.answers.message()).await;
        answer.map_err(|_| silent(&self.vault))?.map_err(|status| self.vault.error(status))
    }

    /// Ends the stream. The vault has its event of it once this returns.
    pub(super) async fn finish(mut self) -> Result<()> {
        // Dropped, it ends what the vault reads.
        self.questions = mpsc::channel(1).0;
        match self.next().await? {
            None => Ok(()),
            Some(_) => Err(Error::Defect("the vault gave an answer that nobody asked for".into())),
        }
    }
}

fn silent(vault: &VaultClient) -> Error {
    vault.error(Status::deadline_exceeded(format!("no answer within {} s", ANSWER.as_secs())))
}
