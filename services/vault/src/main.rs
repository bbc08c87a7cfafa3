//! The vault as a process of its own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use strongroom_runtime::{Shutdown, SystemClock, admin, config, process, server};
use strongroom_vault::{ConfigFile, Error};

/// Keeps secrets: provider credentials, tokens, keys and the audit log.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// A TOML file; STRONGROOM_VAULT__<KEY> overrides a key of its [vault] section.
    #[arg(long, short)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    process::run(run(options))
}

async fn run(options: Options) -> Result<(), Error> {
    let file: ConfigFile = config::load(options.config.as_deref())?;
    let vault = &file.vault;
    let listener = server::listen(vault.listen, vault.tls.as_ref(), vault.plaintext).await?;
    let admin = match file.admin.vault()? {
        Some(address) => Some(admin::listen(address).await?),
        None => None,
    };
    let shutdown = Shutdown::on_signal();
    strongroom_vault::serve(file.vault, listener, admin, Arc::new(SystemClock), shutdown).await
}
