//! `strongroom backup create`.

use anyhow::Result;
use strongroom_api::backup::v1::{Backup, CreateBackupRequest};
use strongroom_runtime::{Clock as _, SystemClock};

use super::stored::{known, print_one};
use super::{outcome, sealing, watch};
use crate::cli::CreateBackup;
use crate::client::{self, Connection, unary};
use crate::output::Format;
use crate::time::to_wire;

pub(super) async fn run(create: CreateBackup, format: Format) -> Result<()> {
    let CreateBackup { selection, sealing, destinations, no_wait } = create;
    let since = selection.since.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    let request = CreateBackupRequest {
        include: selection.tables.include,
        tables: selection.tables.tables,
        since: since.map(to_wire),
        seal: sealing::of_backup(&sealing)?,
        destinations,
        request_id: uuid::Uuid::now_v7().to_string(),
    };
    let service = client::backup()?;
    let begun = begin(&service, request).await?;
    if no_wait {
        return print_one(format, &begun);
    }
    let ended = watch::to_its_end(&service, begun.id.clone(), Some(begun)).await?;
    print_one(format, &ended)?;
    outcome::judge(&ended)
}

/// Makes a backup, and waits until every destination has it.
///
/// # Errors
/// When a destination does not have it.
pub(crate) async fn store(service: &Connection, request: CreateBackupRequest) -> Result<Backup> {
    let begun = begin(service, request).await?;
    let ended = watch::to_its_end(service, begun.id.clone(), Some(begun)).await?;
    outcome::judge(&ended)?;
    Ok(ended)
}

async fn begin(service: &Connection, request: CreateBackupRequest) -> Result<Backup> {
    known(service.answer(service.backups().create_backup(unary(request))).await?.backup)
}
