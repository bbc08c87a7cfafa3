//! `strongroom`: the operators' command.
//!
//! Results go to standard output, all other messages to standard error. The exit code is 0 only if the command did what
//! was asked, 2 for wrong usage, 3 for an archive by an unknown signer, 4 if a service does not answer or cannot serve
//! now, and 1 otherwise.

mod cli;
mod client;
mod commands;
mod embedded;
mod error;
mod files;
mod input;
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
use strongroom_runtime::telemetry::{LogConfig, LogFormat, TelemetryConfig};

use crate::cli::{Cli, Command};
use crate::error::Failure;
use crate::output::Format;

fn main() -> ExitCode {
    let (cli, name) = match parse() {
        Ok(parsed) => parsed,
        Err(help) if !help.use_stderr() => help.exit(),
        // It repeats text from a person or a script.
        Err(wrong) => return report_usage(&wrong),
    };
    let (observed, format) = (observed(&cli), cli.output);
    let main = async move { error::for_the_operator(commands::run(cli, &name).await) };
    process::run_and_report(&observed, main, |failure: &Failure| failure.report(format))
}

/// clap's text has its own `error:`, and several lines.
fn report_usage(wrong: &clap::Error) -> ExitCode {
    let text = wrong.render().to_string();
    let format = if asks_for_json(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())) {
        Format::Json
    } else {
        Format::Text
    };
    let text = text.trim_end();
    Failure::of_usage(text.strip_prefix("error: ").unwrap_or(text).to_owned()).report(format)
}

/// Whether a command line that cannot be parsed as a whole has `-o json`.
fn asks_for_json(mut args: impl Iterator<Item = String>) -> bool {
    let mut before = String::new();
    args.any(|arg| {
        let after = matches!(before.as_str(), "-o" | "--output") && arg == "json";
        let whole = matches!(arg.as_str(), "-ojson" | "-o=json" | "--output=json");
        before = arg;
        after || whole
    })
}

/// The command line, and the full name of its command: `strongroom backup export`.
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

/// Only `dev` is a server, whose log belongs on a terminal. `STRONGROOM_LOG` enables the log of the others too. A
/// command's own trace is always recorded if there is a collector.
fn observed(cli: &Cli) -> Observed {
    if let Command::Dev(dev) = &cli.command {
        // `dev` itself refuses a file that cannot be read.
        let Sections { log, telemetry } = config::load(dev.config.as_deref()).unwrap_or_default();
        let log = log.complete();
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

/// Sections of the configuration of `dev`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sections {
    log: Log,
    telemetry: TelemetryConfig,
}

/// [`LogConfig`] that distinguishes a chosen form from the default.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Log {
    level: Option<String>,
    format: Option<LogFormat>,
}

impl Log {
    /// Adds the defaults of `dev`: text if a person reads it.
    fn complete(self) -> LogConfig {
        let defaults = LogConfig::default();
        let form = if output::is_answerable() { LogFormat::Text } else { defaults.format };
        LogConfig { level: self.level.unwrap_or(defaults.level), format: self.format.unwrap_or(form) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_also_by_what_cannot_be_read() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(str::to_owned));
        assert!(asks("strongroom -o json frobnicate") && asks("strongroom list --output=json"));
        assert!(!asks("strongroom credential get json") && !asks("strongroom -o text x"));
    }
}
