//! The commands, one file per subject (`credential`, `token`…).

mod archive;
mod archive_or_backup;
mod audit;
mod backup;
mod completion;
mod confirmation;
mod credential;
mod demo;
mod dev;
mod drill;
mod import;
mod interruption;
mod key;
mod left_out;
mod levels;
mod person;
mod progress;
mod recovery;
mod reference;
mod restore;
mod retries;
mod schedule;
mod sending;
mod source;
mod status;
mod tables;
mod token;

use anyhow::Result;
use strongroom_runtime::telemetry;

use crate::cli::{Cli, Command};

/// Runs the given command. `name` is the command's name in its trace; `dev` is a server, and has no trace of its own.
pub(crate) async fn run(cli: Cli, name: &str) -> Result<()> {
    if let Command::Dev(dev) = cli.command {
        return dev::run(dev).await;
    }
    telemetry::command(name, in_trace(cli)).await
}

async fn in_trace(cli: Cli) -> Result<()> {
    let ended = dispatch(cli).await;
    if ended.is_err() {
        telemetry::failed();
    }
    ended
}

async fn dispatch(cli: Cli) -> Result<()> {
    let format = cli.output;
    match cli.command {
        Command::Demo(demo) => demo::run(demo, format).await,
        Command::Dev(dev) => dev::run(dev).await,
        Command::Status => status::run(format).await,
        Command::Credential(command) => credential::run(command, format).await,
        Command::Reference(command) => reference::run(command, format).await,
        Command::Token(command) => token::run(command, format).await,
        Command::Person(command) => person::run(command, format).await,
        Command::Key(command) => key::run(command, format).await,
        Command::Audit(command) => audit::run(command, format).await,
        Command::Backup(command) => backup::run(command, format).await,
        Command::Schedule(command) => schedule::run(command, format).await,
        Command::Drill(command) => drill::run(command, format).await,
        Command::Restore(command) => restore::run(command, format).await,
        Command::Tables(command) => tables::run(command, format).await,
        Command::Source(command) => source::run(command, format).await,
        Command::Archive(command) => archive::run(command, format).await,
        Command::Recovery(command) => recovery::run(command, format).await,
        Command::Completion { shell } => completion::run(shell),
        Command::Import(command) => import::run(command, format).await,
    }
}
