//! `strongroom backup verify`: the backup service checks a stored backup or an uploaded archive, together with the
//! vault.

mod answers;
mod report;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message as Sent};
use strongroom_api::backup::v1::verify_backup_response::{Message, Verdict};
use strongroom_api::backup::v1::{VerifyBackupRequest, VerifyBackupResponse, VerifyStoredBackupRequest};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status};

use crate::cli::VerifyBackup;
use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::sending::{self, Piece, Sending};
use crate::commands::{archive_or_backup, left_out};
use crate::error::WrongUsage;
use crate::input::Input;
use crate::output::Format;
use answers::Answers;

/// # Errors
/// Also when the archive was checked and has problems; these are then on standard output.
pub(super) async fn run(verify: VerifyBackup, format: Format) -> Result<()> {
    let id = stored(&verify)?;
    let backup = client::backup()?;
    let verifying = async {
        match id {
            Some(id) => verify_stored(&backup, id, verify.destination.clone().unwrap_or_default()).await,
            None => {
                let input = Input::of(&verify.archive)?;
                send(&backup, input.path()).await.with_context(|| input.name())
            }
        }
    };
    let answers = unless_interrupted(verifying, "nothing was verified").await?;
    format.document(&report::document(&answers)?, || report::text(&answers))?;
    left_out::say(&answers.verdict.left_out, answers.verdict.left_out_total);
    report::judge(&answers.verdict)
}

/// The given id; `None` for a file.
fn stored(verify: &VerifyBackup) -> Result<Option<String>> {
    let id = archive_or_backup::id_of(&verify.archive)?;
    let usage = WrongUsage::new("--destination is for a stored backup: a file is sent from this machine");
    ensure!(id.is_some() || verify.destination.is_none(), usage);
    Ok(id)
}

/// Verifies a stored backup, from any destination that the service chooses.
///
/// # Errors
/// Also when it does not pass.
pub(crate) async fn stored_backup(backup: &Connection, id: String) -> Result<Verdict> {
    let answers = verify_stored(backup, id, String::new()).await?;
    report::judge(&answers.verdict)?;
    Ok(answers.verdict)
}

async fn verify_stored(backup: &Connection, id: String, destination: String) -> Result<Answers> {
    let request = Request::new(VerifyStoredBackupRequest { id, destination });
    let opened = backup.backups().verify_stored_backup(request).await;
    let stream = opened.map_err(|status| backup.failed(&status))?.into_inner();
    let progress = Progress::of_stored_verification();
    let answers = stream.map(|answer| answer.map(|answer| answer.answer.unwrap_or_default()));
    let received = receive(backup, answers, &progress).await?;
    progress.finish();
    Ok(received)
}

async fn send(backup: &Connection, file: &Path) -> Result<Answers> {
    let Sending { requests, size, failed } = sending::start(file, 0, request)?;
    let progress = Progress::of_verification(size);
    let received = match backup.backups().verify_backup(Request::new(requests)).await {
        Ok(opened) => receive(backup, opened.into_inner(), &progress).await,
        Err(status) => Err(backup.failed(&status).into()),
    };
    // A file that cannot be read ends the upload; the server sees only the end.
    if let Ok(error) = failed.await {
        bail!(error);
    }
    let answers = received?;
    progress.finish();
    Ok(answers)
}

fn request(piece: Piece) -> VerifyBackupRequest {
    let message = match piece {
        Piece::Header { file_name, size_bytes } => Sent::Header(Header { file_name, size_bytes }),
        Piece::Chunk { number, offset, data } => Sent::Chunk(Chunk { number, offset, data }),
        Piece::End { sha256 } => Sent::End(End { sha256 }),
    };
    VerifyBackupRequest { message: Some(message) }
}

async fn receive(
    backup: &Connection,
    mut stream: impl Stream<Item = Result<VerifyBackupResponse, Status>> + Unpin,
    progress: &Progress,
) -> Result<Answers> {
    let (mut columns, mut bad_entries, mut verdict) = (Vec::new(), Vec::new(), None);
    while let Some(next) = stream.next().await {
        let next = next.map_err(|status| backup.failed(&status))?;
        ensure!(verdict.is_none(), "the backup service sent more after its verdict");
        match next.message {
            Some(Message::Progress(now)) => progress.verified(&now),
            Some(Message::Entry(entry)) if !entry.problem.is_empty() => bad_entries.push(entry),
            Some(Message::Entry(_)) => {}
            Some(Message::Column(column)) => columns.push(column),
            Some(Message::Verdict(last)) => verdict = Some(last),
            None => bail!("the backup service sent a message that this release does not support"),
        }
    }
    let verdict = verdict.context("the backup service ended without a verdict; try again")?;
    Ok(Answers { verdict, columns, bad_entries })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ID: &str = "0197e0a1-0000-7000-8000-00000000000a";

    fn given(archive: &Path, destination: Option<&str>) -> Result<Option<String>> {
        stored(&VerifyBackup { archive: archive.to_owned(), destination: destination.map(str::to_owned) })
    }

    #[test]
    fn a_file_is_sent_and_an_id_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(ID);
        std::fs::write(&file, "an archive whose name looks like an id").unwrap();
        assert_eq!(given(&file, None).unwrap(), None);
        assert!(given(&file, Some("local")).unwrap_err().is::<WrongUsage>());
        assert_eq!(given(Path::new(ID), Some("local")).unwrap().as_deref(), Some(ID));
        let error = given(&folder.path().join("typo.zip"), None).unwrap_err().to_string();
        assert!(error.contains("neither a file nor the id"), "{error}");
    }
}
