//! `strongroom`: the operators' command.
//!
//! Results go to standard output, everything said on the way to standard error. The exit code is 0 only when
//! the command did what was asked, 2 for wrong usage, 3 for an archive by an unknown signer, 4 when a service
//! does not answer or cannot serve now, 1 for the rest.

mod cli;
mod client;
mod commands;
mod embedded;
mod error;
mod files;
mod out_file;
mod output;
#[cfg(test)]
mod reference;
mod secret_input;
mod time;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use serde::Deserialize;
use strongroom_runtime::config;
use strongroom_runtime::process::{self, Observed};
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

use crate::cli::{Cli, Command};

/// The exit code of a command line that could not be read.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let (cli, name) = match parse() {
        Ok(parsed) => parsed,
        Err(help) if !help.use_stderr() => help.exit(),
        // It repeats what was typed, or what a script put there.
        Err(wrong) => {
            output::message(wrong.render().to_string().trim_end());
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let observed = observed(&cli);
    let main = async move { error::for_the_operator(commands::run(cli, &name).await) };
    process::run_with_code(&observed, main, error::Failure::code)
}

/// The command line, and the name of its command with those above it: `strongroom backup export`.
fn parse() -> Result<(Cli, String), clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    let mut name = String::from("strongroom");
    let mut below = matches.subcommand();
    while let Some((command, of_it)) = below {
        name.push(' ');
        name.push_str(command);
        below = of_it.subcommand();
    }
    Ok((Cli::from_arg_matches(&matches)?, name))
}

/// Only `dev` is a server, whose log belongs on a terminal. `STRONGROOM_LOG` shows it for the others too. A command's
/// own trace, where there is a collector, is recorded always.
fn observed(cli: &Cli) -> Observed {
    if let Command::Dev(dev) = &cli.command {
        // A file that cannot be read is refused by `dev` itself.
        let Sections { log, telemetry } = config::load(dev.config.as_deref()).unwrap_or_default();
        return Observed { name: "strongroom-dev", log, telemetry, warn: process::log_warning };
    }
    let log = LogConfig { level: "off".to_owned(), ..LogConfig::default() };
    let telemetry = TelemetryConfig { sampling: 1.0, ..TelemetryConfig::default() };
    Observed {
        name: "strongroom",
        log,
        telemetry,
        warn: |problem| output::message(&format!("warning: {problem}")),
    }
}

/// Of the configuration of `dev`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sections {
    log: LogConfig,
    telemetry: TelemetryConfig,
}
