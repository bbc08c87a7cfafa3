//! `strongroom tables export`: receives a document while it is being built.
//!
//! The conditions for a complete stream are those of an archive, and the same code checks them.

use anyhow::{Context as _, Result};
use strongroom_api::backup::v1::export_backup_response as whole;
use strongroom_api::backup::v1::export_tables_response::{Chunk, Header, Message, Trailer};
use strongroom_api::backup::v1::{ExportBackupResponse, ExportTablesRequest, ExportTablesResponse};
use tonic::Request;

use super::text;
use crate::cli::ExportTables;
use crate::client::{self, Connection};
use crate::commands::backup::export::broken;
use crate::commands::backup::export::stream::{Download, Received};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::out_file::{OutFile, OutPath};
use crate::output::{Format, message};

/// A document that was received.
pub(super) struct Exported {
    /// Its path.
    pub(super) out: String,
    pub(super) trailer: Trailer,
}

pub(super) async fn run(export: ExportTables, format: Format) -> Result<()> {
    let out = OutPath::check(&export.out, export.overwriting.force)?;
    let request = ExportTablesRequest { tables: export.tables };
    let backup = client::backup()?;
    let to_stdout = matches!(out, OutPath::Stdout);
    let receiving = receive(&backup, request, out);
    // Standard output needs no cleanup, so a signal just ends the process.
    let exported =
        if to_stdout { receiving.await? } else { unless_interrupted(receiving, "nothing was kept").await? };
    let (document, said) = (text::exported_document(&exported), || text::exported(&exported));
    if to_stdout {
        // Standard output is the document.
        let said = if format == Format::Json { document.to_string() } else { said() };
        message(said.trim_end());
        return Ok(());
    }
    format.document(&document, said)
}

async fn receive(backup: &Connection, request: ExportTablesRequest, out: OutPath) -> Result<Exported> {
    let opened = backup.tables().export_tables(Request::new(request)).await;
    let mut stream = opened.map_err(|status| backup.failed(&status))?.into_inner();
    let progress = Progress::of_export();
    let mut download = Download::<OutFile>::new();
    let mut last = None;
    while let Some(next) =
        stream.message().await.map_err(|status| broken(backup, &status, download.has_begun()))?
    {
        if let Some(Message::Trailer(trailer)) = &next.message {
            last = Some(trailer.clone());
        }
        if let Received::Bytes(bytes) =
            download.take(as_archive(next), |header| out.create(&header.file_name))?
        {
            progress.bytes(bytes);
        }
    }
    let (file, _) = download.finish()?;
    progress.finish();
    let trailer = last.context("the stream ended without its trailer")?;
    Ok(Exported { out: file.finish()?, trailer })
}

/// The corresponding message of an archive's stream.
fn as_archive(response: ExportTablesResponse) -> ExportBackupResponse {
    let message = response.message.map(|message| match message {
        Message::Header(Header { export_id, file_name, create_time, chunk_size }) => {
            whole::Message::Header(whole::Header {
                archive_id: export_id,
                file_name,
                create_time,
                chunk_size,
            })
        }
        Message::Chunk(Chunk { number, offset, data }) => {
            whole::Message::Chunk(whole::Chunk { number, offset, data })
        }
        Message::Trailer(Trailer { export_id, size_bytes, chunks, sha256, tables }) => {
            let rows = tables.iter().map(|table| table.rows).sum();
            let tables = i64::try_from(tables.len()).unwrap_or(i64::MAX);
            whole::Message::Trailer(whole::Trailer {
                archive_id: export_id,
                size_bytes,
                chunks,
                sha256,
                tables,
                rows,
                ..whole::Trailer::default()
            })
        }
    });
    ExportBackupResponse { message }
}
