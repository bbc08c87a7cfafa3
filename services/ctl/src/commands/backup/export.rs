//! `strongroom backup export`: receives an archive while it is being built.

pub(in crate::commands) mod stream;

use std::path::Path;

use anyhow::{Error, Result};
use serde_json::json;
use strongroom_api::backup::v1::ExportBackupRequest;
use strongroom_runtime::{Clock as _, SystemClock};
use tonic::{Request, Status};

use self::stream::{Download, Received, Summary};
use super::sealing;
use crate::cli::Export;
use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::left_out;
use crate::commands::progress::Progress;
use crate::out_file::{OutFile, OutPath};
use crate::output::{Format, int64, key_values, message};
use crate::time::to_wire;

pub(super) async fn run(export: Export, format: Format) -> Result<()> {
    let out = OutPath::check(&export.out, export.overwriting.force)?;
    let selection = export.selection;
    let since = selection.since.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    let request = ExportBackupRequest {
        include: selection.tables.include,
        tables: selection.tables.tables,
        since: since.map(to_wire),
        seal: sealing::of_export(&export.sealing)?,
    };
    let backup = client::backup()?;
    let to_stdout = matches!(out, OutPath::Stdout);
    let receiving = receive(&backup, request, out);
    // Standard output needs no cleanup, so a signal just ends the process.
    let summary =
        if to_stdout { receiving.await? } else { unless_interrupted(receiving, "nothing was kept").await? };
    left_out::say(&summary.left_out, summary.left_out_total);
    if to_stdout {
        // Standard output is the archive.
        let said = if format == Format::Json { document(&summary).to_string() } else { text(&summary) };
        message(said.trim_end());
        return Ok(());
    }
    format.document(&document(&summary), || text(&summary))
}

/// Exports into the file `out`, or into the folder `out` under the server's name.
pub(crate) async fn export_to(
    backup: &Connection,
    request: ExportBackupRequest,
    out: &Path,
) -> Result<Summary> {
    receive(backup, request, OutPath::check(out, false)?).await
}

async fn receive(backup: &Connection, request: ExportBackupRequest, out: OutPath) -> Result<Summary> {
    let opened = backup.backups().export_backup(Request::new(request)).await;
    let mut stream = opened.map_err(|status| backup.failed(&status))?.into_inner();
    let progress = Progress::of_export();
    let mut download = Download::<OutFile>::new();
    while let Some(next) =
        stream.message().await.map_err(|status| broken(backup, &status, download.has_begun()))?
    {
        match download.take(next, |header| out.create(&header.file_name))? {
            Received::Bytes(bytes) => progress.bytes(bytes),
            Received::Progress(tables) => progress.tables(&tables),
            Received::Header | Received::Trailer => {}
        }
    }
    let (file, summary) = download.finish()?;
    progress.finish();
    let out = file.finish()?;
    Ok(Summary { out, ..summary })
}

/// Before the header, a status is a refusal; after it, the end of an incomplete file.
pub(in crate::commands) fn broken(backup: &Connection, status: &Status, has_begun: bool) -> Error {
    let error = Error::new(backup.failed(status));
    if has_begun { error.context("the file is incomplete and was discarded") } else { error }
}

fn document(summary: &Summary) -> serde_json::Value {
    json!({
        "archiveId": summary.archive_id,
        "fileName": summary.file_name,
        "out": summary.out,
        "sizeBytes": int64(summary.size_bytes),
        "sha256": summary.sha256,
        "chunks": int64(summary.chunks),
        "tables": int64(summary.tables),
        "rows": int64(summary.rows),
        "files": int64(summary.files),
        "leftOut": left_out::document(&summary.left_out),
        "leftOutTotal": int64(summary.left_out_total),
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
