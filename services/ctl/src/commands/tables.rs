//! `strongroom tables`.

mod export;
mod import;
mod text;

use anyhow::Result;

use crate::cli::TablesCommand;
use crate::output::Format;

pub(super) async fn run(command: TablesCommand, format: Format) -> Result<()> {
    match command {
        TablesCommand::Export(export) => export::run(export, format).await,
        TablesCommand::Import(import) => import::run(import, format).await,
    }
}
