//! How a command that cannot be undone is confirmed where nobody can be asked.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Do it without asking. Needed where nobody can answer: in a script, or in a pipe.
    #[arg(long)]
    pub(crate) yes: bool,
}
