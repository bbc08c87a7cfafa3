//! How a command that writes a file is told to replace an existing one.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Overwriting {
    /// Replace FILE if it exists, once the new one is complete.
    #[arg(long)]
    pub(crate) force: bool,
}
