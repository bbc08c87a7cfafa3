//! Follows a started restore or rollback to its end. The service continues it without a watcher, so a broken connection
//! is not the end: from then on, the service is polled.

use std::time::Duration;

use anyhow::{Error, Result};
use strongroom_api::backup::v1::{Restore, RestoreState};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{get, words};
use crate::client::Connection;
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::retries::{Retries, is_broken};
use crate::error::CallFailed;

/// Time between two polls.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins with `call`, and waits for the end. `before` is the state before the call.
///
/// # Errors
/// A refusal; also an interruption, or a service that stays unavailable: a started restore continues nevertheless.
pub(super) async fn to_its_end<S>(
    service: &Connection,
    id: &str,
    before: RestoreState,
    call: impl Future<Output = Result<S, Status>>,
) -> Result<Restore>
where
    S: Stream<Item = Result<Option<Restore>, Status>> + Unpin,
{
    let following = Following {
        service,
        id,
        before,
        seen: None,
        progress: Progress::of_restore(),
        problem: String::new(),
    };
    let advice = following.advice();
    unless_interrupted(following.follow(call), &advice).await
}

struct Following<'a> {
    service: &'a Connection,
    id: &'a str,
    before: RestoreState,
    seen: Option<Restore>,
    progress: Progress,
    /// The last reported reason for waiting.
    problem: String,
}

impl Following<'_> {
    async fn follow<S>(mut self, call: impl Future<Output = Result<S, Status>>) -> Result<Restore>
    where
        S: Stream<Item = Result<Option<Restore>, Status>> + Unpin,
    {
        let broken = match call.await {
            Ok(stream) => self.take(stream).await,
            Err(status) => Some(status),
        };
        let Some(status) = broken else {
            return match self.seen.take_if(|seen| !is_busy(seen)) {
                Some(ended) => Ok(ended),
                None => self.ask().await,
            };
        };
        let failed = self.service.failed(&status);
        match (is_broken(&status, &failed), &self.seen) {
            (true, Some(_)) => {}
            (true, None) => self.must_have_begun(failed).await?,
            (false, None) => return Err(failed.into()),
            (false, Some(_)) => return Err(Error::new(failed).context(self.advice())),
        }
        self.ask().await
    }

    fn advice(&self) -> String {
        format!("the restore continues; `strongroom restore get {}` shows its state", self.id)
    }

    /// The status that ended the stream early.
    async fn take<S>(&mut self, mut stream: S) -> Option<Status>
    where
        S: Stream<Item = Result<Option<Restore>, Status>> + Unpin,
    {
        while let Some(next) = stream.next().await {
            match next {
                Ok(restore) => self.show(restore?),
                Err(status) => return Some(status),
            }
        }
        None
    }

    fn show(&mut self, restore: Restore) {
        if let Some(now) = &restore.progress {
            self.progress.restored(words::phase(&now.phase), now);
        }
        if restore.state() == RestoreState::Resumable && self.problem != restore.problem {
            self.problem.clone_from(&restore.problem);
            self.progress.waits(&self.problem);
        }
        self.seen = Some(restore);
    }

    /// The call broke before its first answer: it may have arrived or not.
    async fn must_have_begun(&self, failed: CallFailed) -> Result<()> {
        let id = self.id;
        match get(self.service, id.to_owned()).await {
            Ok(restore) if restore.state() != self.before => Ok(()),
            Ok(_) => Err(Error::new(failed).context("it had not begun when the service was asked")),
            Err(_) => {
                let unknown = format!(
                    "whether it has begun is not known; `strongroom restore get {id}` shows its state"
                );
                Err(Error::new(failed).context(unknown))
            }
        }
    }

    async fn ask(mut self) -> Result<Restore> {
        let mut retries = Retries::new();
        loop {
            match get(self.service, self.id.to_owned()).await {
                Ok(ended) if !is_busy(&ended) => return Ok(ended),
                Ok(restore) => {
                    retries.went_on();
                    self.show(restore);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    let is_away = error.downcast_ref::<CallFailed>().is_some_and(CallFailed::is_away);
                    if !(is_away && retries.another().await) {
                        return Err(error.context(self.advice()));
                    }
                }
            }
        }
    }
}

/// Whether it is changing something now, or will continue by itself.
fn is_busy(restore: &Restore) -> bool {
    matches!(restore.state(), RestoreState::Applying | RestoreState::RollingBack | RestoreState::Resumable)
}
