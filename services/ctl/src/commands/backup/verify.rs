//! `strongroom backup verify`: an archive is sent up to the backup service, which checks all of it with the vault.

mod answers;
mod report;
mod sending;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_api::backup::v1::verify_backup_response::Message;
use tonic::{Request, Status};

use super::interruption::unless_interrupted;
use crate::client::{self, Connection};
use crate::commands::left_out;
use crate::commands::progress::Progress;
use crate::output::Format;
use answers::Answers;
use sending::Sending;

/// # Errors
/// Also when the archive was looked at and is not fine; what is wrong is then on standard output.
pub(super) async fn run(file: &Path, format: Format) -> Result<()> {
    let backup = client::backup()?;
    let named = || file.display().to_string();
    let answers =
        unless_interrupted(send(&backup, file), "nothing was verified").await.with_context(named)?;
    format.document(&report::document(&answers)?, || report::text(&answers))?;
    left_out::say(&answers.verdict.left_out, answers.verdict.left_out_total);
    report::judge(&answers.verdict)
}

async fn send(backup: &Connection, file: &Path) -> Result<Answers> {
    let Sending { requests, size, failed } = sending::start(file)?;
    let progress = Progress::of_verification(size);
    let received = receive(backup, requests, &progress).await;
    // A file that cannot be read ends the upload, of which the server only sees that it ended.
    if let Ok(error) = failed.await {
        bail!(error);
    }
    let answers = received?;
    progress.finish();
    Ok(answers)
}

async fn receive(backup: &Connection, requests: sending::Requests, progress: &Progress) -> Result<Answers> {
    let failed = |status: Status| backup.failed(&status);
    let opened = backup.backups().verify_backup(Request::new(requests)).await;
    let mut stream = opened.map_err(failed)?.into_inner();
    let (mut columns, mut bad_entries, mut verdict) = (Vec::new(), Vec::new(), None);
    while let Some(next) = stream.message().await.map_err(failed)? {
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
