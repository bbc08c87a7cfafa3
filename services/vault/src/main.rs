//! The vault as a separate process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use strongroom_runtime::process::Observed;
use strongroom_runtime::{Shutdown, SystemClock, admin, config, process, server};
use strongroom_vault::{ConfigFile, Error};

/// Keeps secrets: provider credentials, tokens, keys and the audit log.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// A TOML file; STRONGROOM_<SECTION>__<KEY> overrides one of its keys.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Write a new admin token to FILE (mode 0600), which must not exist, and exit. For a vault whose admin tokens are lost;
    /// it may run meanwhile. The token belongs to no person, and the audit log records it.
    #[arg(long, value_name = "FILE")]
    issue_admin_token: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let load = || Ok(config::load(options.config.as_deref())?);
    match options.issue_admin_token {
        Some(out) => process::run(load, observed, |file| issue_admin_token(file, out)),
        None => process::run(load, observed, run),
    }
}

fn observed(file: &ConfigFile) -> Observed {
    Observed {
        name: "strongroom-vault",
        log: file.log.clone(),
        telemetry: file.telemetry.clone(),
        warn: process::log_warning,
    }
}

async fn issue_admin_token(file: ConfigFile, out: PathBuf) -> Result<(), Error> {
    strongroom_vault::issue_admin_token(&file.vault, &out, &SystemClock).await
}

async fn run(file: ConfigFile) -> Result<(), Error> {
    let vault = &file.vault;
    let listener = server::listen(vault.listen, vault.tls.as_ref(), vault.plaintext).await?;
    let admin = match file.admin.vault()? {
        Some(address) => Some(admin::listen(address).await?),
        None => None,
    };
    let shutdown = Shutdown::of_service();
    strongroom_vault::serve(file.vault, listener, admin, Arc::new(SystemClock), shutdown).await
}
