//! `strongroom completion`.

use clap::ValueEnum;

/// A shell that can complete the command.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}
