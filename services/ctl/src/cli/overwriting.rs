//! The option by which a command replaces an existing file.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Overwriting {
    /// Replace FILE if it exists, once the new one is complete.
    #[arg(long)]
    pub(crate) force: bool,
}
