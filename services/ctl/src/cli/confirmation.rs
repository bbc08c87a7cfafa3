//! Confirmation of a command that cannot be undone, if nobody can be asked.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Do not ask for confirmation. Needed where nobody can answer: in a script, or in a pipe.
    #[arg(long)]
    pub(crate) yes: bool,
}
