//! The backup service as a process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use strongroom_backup::{Config, Result, serve};
use strongroom_runtime::process::Observed;
use strongroom_runtime::{Shutdown, SystemClock, admin, config, process, server};

/// Reads databases and the vault, and streams archives of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file (TOML); `STRONGROOM_<SECTION>__<KEY>` overrides it.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::run(|| Ok(config::load(arguments.config.as_deref())?), observed, run)
}

fn observed(config: &Config) -> Observed {
    Observed {
        name: "strongroom-backup",
        log: config.log.clone(),
        telemetry: config.telemetry.clone(),
        warn: process::log_warning,
    }
}

async fn run(config: Config) -> Result<()> {
    let shutdown = Shutdown::of_service();
    let backup = &config.backup;
    let listener = server::listen(backup.listen, backup.tls.as_ref(), backup.plaintext).await?;
    let admin = match config.admin.backup()? {
        Some(address) => Some(admin::listen(address).await?),
        None => None,
    };
    serve(config, listener, admin, Arc::new(SystemClock), shutdown).await
}
