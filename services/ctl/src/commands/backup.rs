//! `strongroom backup`.

mod create;
mod deletion;
mod details;
mod download;
mod estimate;
pub(super) mod export;
mod list;
mod outcome;
mod scan;
mod sealing;
mod stored;
mod verify;
mod watch;

use anyhow::Result;

pub(super) use create::store;
pub(super) use details::{state as backup_state, with_reason};
pub(super) use export::export_to;
pub(super) use list::{all as list_backups, table as table_of_backups};
pub(super) use outcome::judge;
pub(super) use stored::print_one as print_backup;
pub(super) use verify::stored_backup as verify_stored_backup;
pub(super) use watch::to_its_end as watch_to_its_end;

use crate::cli::BackupCommand;
use crate::client;
use crate::output::Format;

pub(super) async fn run(command: BackupCommand, format: Format) -> Result<()> {
    match command {
        BackupCommand::Export(export) => export::run(export, format).await,
        BackupCommand::Create(create) => create::run(create, format).await,
        BackupCommand::List(list) => list::run(list, format).await,
        BackupCommand::Get(given) => {
            stored::print_one(format, &stored::get(&client::backup()?, given.id).await?)
        }
        BackupCommand::Watch(given) => watch::run(given.id, format).await,
        BackupCommand::Download(download) => download::run(download, format).await,
        BackupCommand::Verify(verify) => verify::run(verify, format).await,
        BackupCommand::Estimate(estimate) => estimate::run(estimate, format).await,
        BackupCommand::Delete(delete) => deletion::run(delete, format).await,
        BackupCommand::Undelete(given) => {
            stored::print_one(format, &stored::undelete(&client::backup()?, given.id).await?)
        }
        BackupCommand::Hold(given) => {
            stored::print_one(format, &stored::hold(&client::backup()?, given.id).await?)
        }
        BackupCommand::Unhold(given) => {
            stored::print_one(format, &stored::release(&client::backup()?, given.id).await?)
        }
        BackupCommand::Scan(scan) => scan::run(scan, format).await,
    }
}
