//! `strongroom tables import`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use strongroom_api::backup::v1::import_tables_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::{ImportTablesRequest, ImportTablesResponse};
use tonic::Request;

use super::text;
use crate::cli::ImportTables;
use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::sending::{self, Piece, Sending};
use crate::input;
use crate::output::Format;

/// The message's name.
const ANSWER: &str = "strongroom.backup.v1.ImportTablesResponse";

/// # Errors
/// Also if the import is refused; the reasons are then on standard output.
pub(super) async fn run(import: ImportTables, format: Format) -> Result<()> {
    let backup = client::backup()?;
    let interrupted = if import.dry_run {
        "nothing was changed"
    } else {
        "if the whole document had arrived, the import continues; importing it again changes no existing row"
    };
    let importing = async {
        let sent = send(&backup, &import.document, import.dry_run).await;
        sent.with_context(|| input::name(&import.document))
    };
    let answer = unless_interrupted(importing, interrupted).await?;
    format.message(ANSWER, &answer, || text::imported(&answer))?;
    if answer.refusals.is_empty() {
        return Ok(());
    }
    let would = if import.dry_run { "an import would be refused" } else { "the import was refused" };
    bail!("{would}, and nothing was changed: {}", text::reasons(&answer))
}

async fn send(backup: &Connection, document: &Path, dry_run: bool) -> Result<ImportTablesResponse> {
    let wrap = move |piece| request(piece, dry_run);
    let Sending { requests, size, failed } = if input::is_stdin(document) {
        input::take_stdin()?;
        sending::start_stdin(wrap)
    } else {
        sending::start(document, 0, wrap)?
    };
    let progress = Progress::of_upload(size);
    let answer = backup.tables().import_tables(Request::new(requests)).await;
    // A file that cannot be read ends the upload; the server sees only the end.
    if let Ok(error) = failed.await {
        bail!(error);
    }
    progress.finish();
    Ok(answer.map_err(|status| backup.failed(&status))?.into_inner())
}

fn request(piece: Piece, dry_run: bool) -> ImportTablesRequest {
    let message = match piece {
        Piece::Header { file_name, .. } => Message::Header(Header { dry_run, file_name }),
        Piece::Chunk { number, offset, data } => Message::Chunk(Chunk { number, offset, data }),
        Piece::End { sha256 } => Message::End(End { sha256 }),
    };
    ImportTablesRequest { message: Some(message) }
}
