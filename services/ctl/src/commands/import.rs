//! `strongroom import`: taking over from other products.

mod geb;
mod promptgate;

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::ImportCommand;
use crate::output::Format;

pub(super) async fn run(command: ImportCommand, format: Format) -> Result<()> {
    match command {
        ImportCommand::Geb(import) => geb::run(&import, format),
        ImportCommand::Promptgate(import) => promptgate::run(&import, format).await,
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}
