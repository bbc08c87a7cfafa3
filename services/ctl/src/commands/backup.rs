//! `strongroom backup`.

mod destination;
mod download;
mod verify;

use std::path::Path;

use anyhow::{Error, Result, bail};
use serde_json::json;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::{ExportBackupRequest, PassphraseSeal, RecipientSeal};
use strongroom_runtime::{Clock as _, Shutdown, SystemClock};
use tonic::{Request, Status};

pub(super) use destination::Place;
pub(super) use download::Summary;

use self::destination::Destination;
use self::download::{Download, Received};
use super::progress::Progress;
use crate::cli::{BackupCommand, Export};
use crate::client::{self, Connection};
use crate::output::{Format, key_values, message};
use crate::secret_input;
use crate::time::to_wire;

pub(super) async fn run(command: BackupCommand, format: Format) -> Result<()> {
    match command {
        BackupCommand::Export(export) => export_command(export, format).await,
        BackupCommand::Verify { archive } => verify::run(&archive, format).await,
    }
}

async fn export_command(export: Export, format: Format) -> Result<()> {
    let place = Place::plan(&export.out)?;
    let since = export.since.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    let request = ExportBackupRequest {
        include: export.include.clone(),
        tables: export.tables.clone(),
        since: since.map(to_wire),
        seal: seal(&export)?,
    };
    let backup = client::backup()?;
    let to_stdout = matches!(place, Place::Stdout);
    let receiving = receive(&backup, request, place);
    // On standard output there is nothing to clean up, and a signal just ends the process.
    let summary =
        if to_stdout { receiving.await? } else { unless_interrupted(receiving, "nothing was kept").await? };
    if to_stdout {
        // Standard output is the archive.
        let said = if format == Format::Json { document(&summary).to_string() } else { text(&summary) };
        message(said.trim_end());
        return Ok(());
    }
    format.document(&document(&summary), || text(&summary))
}

/// How the server is asked to seal; `None` is as it is configured.
fn seal(export: &Export) -> Result<Option<Seal>> {
    if export.plain {
        return Ok(Some(Seal::Plain(true)));
    }
    if let Some(file) = &export.passphrase_file {
        let text = secret_input::passphrase_text(file)?;
        return Ok(Some(Seal::Passphrase(PassphraseSeal { text })));
    }
    let age: Vec<String> = export.recipients.iter().map(ToString::to_string).collect();
    Ok((!age.is_empty()).then_some(Seal::Recipients(RecipientSeal { age })))
}

/// `so` says what an interruption leaves.
async fn unless_interrupted<T>(transfer: impl Future<Output = Result<T>>, so: &str) -> Result<T> {
    match Shutdown::on_signal().unless_begun(transfer).await {
        Some(ended) => ended,
        // Dropping the transfer has removed what it had written.
        None => bail!("interrupted; {so}"),
    }
}

/// Exports into the file `out`, or into the folder `out` under the server's name.
pub(super) async fn export_to(
    backup: &Connection,
    request: ExportBackupRequest,
    out: &Path,
) -> Result<Summary> {
    receive(backup, request, Place::plan(out)?).await
}

async fn receive(backup: &Connection, request: ExportBackupRequest, place: Place) -> Result<Summary> {
    let opened = backup.backups().export_backup(Request::new(request)).await;
    let mut stream = opened.map_err(|status| backup.failed(&status))?.into_inner();
    let progress = Progress::of_export();
    let mut download = Download::<Destination>::new();
    while let Some(next) =
        stream.message().await.map_err(|status| broken(backup, &status, download.has_begun()))?
    {
        match download.take(next, |header| place.create(&header.file_name))? {
            Received::Bytes(bytes) => progress.bytes(bytes),
            Received::Progress(tables) => progress.tables(&tables),
            Received::Header | Received::Trailer => {}
        }
    }
    let (destination, summary) = download.finish()?;
    progress.finish();
    let out = destination.finish()?;
    Ok(Summary { out, ..summary })
}

/// Before the header a status is a refusal; after it, the end of a file that is not whole.
fn broken(backup: &Connection, status: &Status, has_begun: bool) -> Error {
    let error = Error::new(backup.failed(status));
    if has_begun { error.context("the archive is not whole and was thrown away") } else { error }
}

fn document(summary: &Summary) -> serde_json::Value {
    json!({
        "archiveId": summary.archive_id,
        "fileName": summary.file_name,
        "out": summary.out,
        "sizeBytes": summary.size_bytes,
        "sha256": summary.sha256,
        "chunks": summary.chunks,
        "tables": summary.tables,
        "rows": summary.rows,
        "files": summary.files,
    })
}

fn text(summary: &Summary) -> String {
    key_values([
        ("archive", summary.archive_id.clone()),
        ("out", summary.out.clone()),
        ("size", format!("{} bytes in {} chunks", summary.size_bytes, summary.chunks)),
        ("sha256", summary.sha256.clone()),
        ("content", format!("{} tables, {} rows, {} files", summary.tables, summary.rows, summary.files)),
    ])
}
