//! Watches a backup in progress to its end. A broken watch begins again; the backup is not affected.

use anyhow::{Error, Result};
use strongroom_api::backup::v1::{Backup, BackupState, WatchBackupRequest, WatchBackupResponse};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status};

use super::{outcome, stored};
use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::retries::{Retries, is_broken};
use crate::error::CallFailed;
use crate::output::Format;

pub(super) async fn run(id: String, format: Format) -> Result<()> {
    let service = client::backup()?;
    let ended = to_its_end(&service, id, None).await?;
    stored::print_one(format, &ended)?;
    outcome::judge(&ended)
}

/// Watches until the backup is no longer in progress. `known` is the backup if it has just begun.
///
/// # Errors
/// When the watch is interrupted, or the service stays unavailable: the backup continues nevertheless.
pub(in crate::commands) async fn to_its_end(
    service: &Connection,
    id: String,
    known: Option<Backup>,
) -> Result<Backup> {
    let progress = Progress::of_export();
    let advice = format!("the backup continues; `strongroom backup watch {id}` watches it");
    let open = async || {
        let request = Request::new(WatchBackupRequest { id: id.clone() });
        Ok(service.backups().watch_backup(request).await?.into_inner())
    };
    let watch =
        Watch { seen: known, retries: Retries::new(), failed: |status: &Status| service.failed(status) };
    let watching = watch.follow(open, |backup| {
        if let Some(tables) = &backup.progress {
            progress.tables(tables);
        }
    });
    unless_interrupted(watching, &advice).await
}

struct Watch<F> {
    seen: Option<Backup>,
    retries: Retries,
    failed: F,
}

impl<F: Fn(&Status) -> CallFailed> Watch<F> {
    async fn follow<S>(
        mut self,
        mut open: impl AsyncFnMut() -> Result<S, Status>,
        mut show: impl FnMut(&Backup),
    ) -> Result<Backup>
    where
        S: Stream<Item = Result<WatchBackupResponse, Status>> + Unpin,
    {
        loop {
            let broken = match open().await {
                Ok(stream) => self.take(stream, &mut show).await,
                Err(status) => Some(status),
            };
            if let Some(ended) = self.seen.take_if(|seen| seen.state() != BackupState::Creating) {
                return Ok(ended);
            }
            let error = match broken {
                Some(status) => {
                    let failed = (self.failed)(&status);
                    // Before the first answer, this is a refusal, or nobody serves at that address.
                    if self.seen.is_none() || !is_broken(&status, &failed) {
                        return Err(failed.into());
                    }
                    Error::new(failed)
                }
                None => Error::msg("the backup service ended the watch while the backup is still being made"),
            };
            if !self.retries.another().await {
                return Err(error.context("the watch broke off; the backup continues"));
            }
        }
    }

    /// The status that ended the stream early.
    async fn take<S>(&mut self, mut stream: S, show: &mut impl FnMut(&Backup)) -> Option<Status>
    where
        S: Stream<Item = Result<WatchBackupResponse, Status>> + Unpin,
    {
        while let Some(next) = stream.next().await {
            let backup = match next {
                Ok(answer) => answer.backup?,
                Err(status) => return Some(status),
            };
            show(&backup);
            if self.seen.as_ref() != Some(&backup) {
                self.retries.went_on();
            }
            self.seen = Some(backup);
        }
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_api::backup::v1::export_backup_response::Progress as Tables;

    use super::*;

    type Said = Result<WatchBackupResponse, Status>;

    fn state(state: BackupState, rows: i64) -> Said {
        let progress = Some(Tables { rows, ..Tables::default() });
        let backup = Backup { state: state.into(), progress, ..Backup::default() };
        Ok(WatchBackupResponse { backup: Some(backup) })
    }

    /// The result of the watch and the number of opened streams, if the service sends `streams` one after the other.
    async fn followed(known: Option<Backup>, streams: Vec<Vec<Said>>) -> (Result<Backup>, usize) {
        let (all, mut left) = (streams.len(), streams.into_iter());
        let open = async || match left.next() {
            Some(said) => Ok(tokio_stream::iter(said)),
            None => Err(Status::unavailable("away")),
        };
        let failed = |status: &Status| CallFailed::new(status, "the backup service", "http://b:1", "X");
        let watch = Watch { seen: known, retries: Retries::at_once(), failed };
        let ended = watch.follow(open, |_| ()).await;
        (ended, all - left.len())
    }

    #[tokio::test]
    async fn a_watch_that_breaks_begins_anew() {
        let going = |rows| state(BackupState::Creating, rows);
        let broken = || Err(Status::unavailable("it restarts"));
        let streams = vec![
            vec![going(1), broken()],
            vec![going(2)],
            vec![broken()],
            vec![going(3), state(BackupState::Available, 3)],
        ];
        let (ended, opened) = followed(None, streams).await;
        assert_eq!((ended.unwrap().state(), opened), (BackupState::Available, 4));
    }

    #[tokio::test]
    async fn a_service_that_stays_away_ends_the_watch_and_not_the_backup() {
        let (ended, _) = followed(None, vec![vec![state(BackupState::Creating, 1)]]).await;
        let error = format!("{:#}", ended.unwrap_err());
        assert!(error.contains("the backup continues"), "{error}");
        // The same answer repeated is no progress.
        let (ended, opened) =
            followed(None, (0..100).map(|_| vec![state(BackupState::Creating, 1)]).collect()).await;
        assert!(ended.is_err() && opened < 10, "{opened}");
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        let refused = || vec![Err(Status::not_found("no such backup"))];
        let (ended, opened) = followed(None, vec![refused(), refused()]).await;
        assert!(ended.is_err() && opened == 1);
        // Nobody is there: not worth waiting for, unless the backup has begun.
        let (ended, _) = followed(None, Vec::new()).await;
        assert!(ended.unwrap_err().downcast_ref::<CallFailed>().unwrap().is_away());
        let known = Some(Backup { state: BackupState::Creating.into(), ..Backup::default() });
        let streams = vec![vec![Err(Status::unavailable("away"))], vec![state(BackupState::Failed, 0)]];
        assert_eq!(followed(known, streams).await.0.unwrap().state(), BackupState::Failed);
    }
}
