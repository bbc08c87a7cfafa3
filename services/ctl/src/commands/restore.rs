//! `strongroom restore`.

mod apply;
mod begun;
mod details;
mod held;
mod list;
mod outcome;
mod plan;
mod plan_text;
mod rollback;
mod rows;
mod upload;
mod words;

use anyhow::{Context as _, Result};
use strongroom_api::backup::v1::{GetRestoreRequest, Restore};

pub(super) use rows::count;

use crate::cli::RestoreCommand;
use crate::client::{self, Connection, unary};
use crate::output::Format;

/// The message's name.
const RESTORE: &str = "strongroom.backup.v1.Restore";

pub(super) async fn run(command: RestoreCommand, format: Format) -> Result<()> {
    match command {
        RestoreCommand::Plan(plan) => plan::run(plan, format).await,
        RestoreCommand::Apply(apply) => apply::run(apply, format).await,
        RestoreCommand::List => list::run(format).await,
        RestoreCommand::Get(given) => print(&get(&client::backup()?, given.id).await?, format),
        RestoreCommand::Rollback(rollback) => rollback::run(rollback, format).await,
    }
}

async fn get(service: &Connection, id: String) -> Result<Restore> {
    let request = unary(GetRestoreRequest { id });
    known(service.answer(service.restores().get_restore(request)).await?.restore)
}

fn known(restore: Option<Restore>) -> Result<Restore> {
    restore.context("the backup service answered without a restore")
}

fn print(restore: &Restore, format: Format) -> Result<()> {
    format.message(RESTORE, restore, || details::text(restore))
}
