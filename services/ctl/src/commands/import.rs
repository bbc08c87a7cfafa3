//! `strongroom import`: imports from other products.

mod geb;
mod promptgate;

use anyhow::Result;

use crate::cli::ImportCommand;
use crate::output::Format;

pub(super) async fn run(command: ImportCommand, format: Format) -> Result<()> {
    match command {
        ImportCommand::Geb(import) => geb::run(&import, format),
        ImportCommand::Promptgate(import) => promptgate::run(&import, format).await,
    }
}
