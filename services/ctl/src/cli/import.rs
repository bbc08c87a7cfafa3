//! `strongroom import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Verify and list Gatwy's encrypted backup file, and unpack it. No service is needed.
    ///
    /// With --out, the database and the recordings are written there. Recordings are decrypted with the master key
    /// that the backup contains; columns of the database stay encrypted under that key.
    Geb(ImportGeb),
    /// Import the credentials of a PromptGate export into the vault.
    ///
    /// Each credential is created once: labels record its row and gateway, and a second run does not change it. Everything
    /// that is not imported is listed with the reason; the exit code is 1 if a credential was not imported.
    Promptgate(ImportPromptgate),
}

#[derive(Debug, Args)]
pub(crate) struct ImportGeb {
    /// The .geb file; - is standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// The file that holds the backup's password, or - for standard input; one line feed at its end is not part
    /// of it.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: PathBuf,
    /// The folder to unpack into, new or empty. Without it nothing is written.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the master key too, as master.key: it opens every secret of that Gatwy installation.
    #[arg(long, requires = "out")]
    pub(crate) with_master_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportPromptgate {
    /// The export, a ZIP; - is standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// The file that holds the APP_KEY (base64:…), or the gateway's .env, or - for standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) app_key_file: PathBuf,
    /// Print what would be done, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
