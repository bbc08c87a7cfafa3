//! `WatchBackup`: the backup after every change. It reads the catalogue, so that any replica can tell.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use strongroom_api::backup::v1::WatchBackupResponse;
use strongroom_runtime::Shutdown;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

use super::stored;
use crate::backups::Catalogue;
use crate::error::{Error, Result};
use crate::store::{BackupState, StoredBackup};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(500);

type Answer = Result<WatchBackupResponse, Status>;

/// The answers of one call.
pub(crate) struct Watch(mpsc::Receiver<Answer>);

impl Watch {
    /// # Errors
    /// [`Error::BackupNotFound`] and the store's.
    pub(super) async fn begin(catalogue: Catalogue, id: String, shutdown: Shutdown) -> Result<Self> {
        let first = catalogue.get(&id).await?;
        let (answers, received) = mpsc::channel(1);
        tokio::spawn(async move {
            let watched = watch(&catalogue, &id, first, &answers, &shutdown).await;
            if let Err(error) = watched {
                let _ = answers.send(Err(error.status())).await;
            }
        });
        Ok(Self(received))
    }
}

async fn watch(
    catalogue: &Catalogue,
    id: &str,
    mut backup: StoredBackup,
    answers: &mpsc::Sender<Answer>,
    shutdown: &Shutdown,
) -> Result<()> {
    loop {
        let (revision, state) = (backup.row.revision, backup.row.state);
        let answer = WatchBackupResponse { backup: Some(stored::backup(backup)) };
        answers.send(Ok(answer)).await.map_err(|_| Error::ClientLeft)?;
        if state != BackupState::Creating {
            return Ok(());
        }
        loop {
            let slept = shutdown.unless_begun(tokio::time::sleep(PERIOD));
            tokio::select! {
                slept = slept => if slept.is_none() { return Err(Error::ShuttingDown) },
                () = answers.closed() => return Ok(()),
            }
            backup = catalogue.get(id).await?;
            if backup.row.revision != revision {
                break;
            }
        }
    }
}

impl Stream for Watch {
    type Item = Answer;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Answer>> {
        self.0.poll_recv(context)
    }
}
