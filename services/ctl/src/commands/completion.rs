//! `strongroom completion`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::aot::{Shell, generate};

use crate::cli::{Cli, CompletedShell};
use crate::output::print_data;

pub(super) fn run(shell: CompletedShell) -> Result<()> {
    let shell = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "strongroom", &mut script);
    print_data(script.as_slice())
}
