//! `strongroom recovery`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Create a recovery key, which opens archives when the vault is lost.
    ///
    /// The private half goes into FILE (mode 0600) under a passphrase; stock `age -d -i FILE` accepts it too. FILE.txt
    /// contains instructions, and FILE.signer the vault's public signing keys, if they are known.
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
    /// Create a post-quantum key (age1pq1…), which a quantum computer does not break. Stock age opens its archives from
    /// version 1.3 on. A server uses keys of one kind only.
    #[arg(long)]
    pub(crate) post_quantum: bool,
    /// Public halves of the vault's signing key; by default the vault is asked for them if STRONGROOM_TOKEN is set.
    /// - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) signer: Option<PathBuf>,
}
