//! `strongroom recovery`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Make a recovery key: it opens archives when the vault is lost.
    ///
    /// The private half goes into FILE (mode 0600) under a passphrase; stock `age -d -i FILE` uses it too. Beside
    /// it, FILE.txt says what to do with it, and FILE.signer holds the vault's signing key when one is known.
    Create(CreateRecovery),
}

#[derive(Debug, Args)]
pub(crate) struct CreateRecovery {
    /// Where to write it; an existing file is never replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The file with the passphrase; - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: PathBuf,
    /// Public halves of the vault's signing key; without it the vault is asked where STRONGROOM_TOKEN is set.
    #[arg(long, value_name = "FILE")]
    pub(crate) signer: Option<PathBuf>,
}
