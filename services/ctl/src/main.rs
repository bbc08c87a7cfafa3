//! `strongroom`: the operators' command.
//!
//! Results go to standard output, everything said on the way to standard error. The exit code is 0 only when
//! the command did what was asked, 2 for wrong usage, 3 for an archive by an unknown signer, 4 when `status` does
//! not reach a service, 1 for the rest.

mod cli;
mod client;
mod commands;
mod embedded;
mod error;
mod files;
mod out_file;
mod output;
mod secret_input;
mod selector;
mod time;

use std::process::ExitCode;

use clap::Parser as _;
use strongroom_runtime::process;

use crate::cli::{Cli, Command};

/// The exit code of a command line that could not be read.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => help.exit(),
        // It repeats what was typed, or what a script put there.
        Err(wrong) => {
            output::message(wrong.render().to_string().trim_end());
            return ExitCode::from(WRONG_USAGE);
        }
    };
    if !matches!(cli.command, Command::Dev(_)) {
        silence_logs();
    }
    let main = async move { error::for_the_operator(commands::run(cli).await) };
    process::run_with_code(main, error::Failure::code)
}

/// Only `dev` is a server, whose log belongs on a terminal. `STRONGROOM_LOG` shows it for the others too.
fn silence_logs() {
    if std::env::var_os("STRONGROOM_LOG").is_none() {
        let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
    }
}
