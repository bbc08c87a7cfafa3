//! `strongroom archive`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use strongroom_age::PublicKey;

use super::overwriting::Overwriting;
use super::values::recipient;

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Show an archive's manifest. With -o json: the manifest itself.
    Inspect {
        /// The archive, sealed or plain; - is standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        #[command(flatten)]
        keys: ArchiveKeys,
        #[command(flatten)]
        signer: SignerFile,
    },
    /// Check every byte, digest and row of an archive.
    ///
    /// With --signer also its signature: exit code 3 if the archive is intact, but not signed by any key in that file.
    Verify {
        /// The archive, sealed or plain; - is standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        #[command(flatten)]
        keys: ArchiveKeys,
        #[command(flatten)]
        signer: SignerFile,
    },
    /// Check an archive completely, then write its content into a folder; or write a single table.
    ///
    /// Encrypted columns stay encrypted. With --table, only the table, the structure of seal and ZIP, and the manifest are
    /// read; the table goes to standard output unless --out is given.
    Open(OpenArchive),
    /// Copy an archive for different recipients, under a new key: an old recovery key does not open the copy.
    ///
    /// The copy is sealed to each --recipient, and to the vault if a token is set. The original does not change.
    Reseal(Reseal),
}

/// Keys that open a sealed archive. Without either, the vault opens it if STRONGROOM_TOKEN is set.
#[derive(Debug, Args, Default)]
pub(crate) struct ArchiveKeys {
    /// A recovery key: a file from `recovery create`, or any age identity file; - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) identity: Option<PathBuf>,
    /// The file with the archive's passphrase, or, with --identity, with that of the identity file; - is
    /// standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args, Default)]
pub(crate) struct SignerFile {
    /// Public halves of the vault's signing key, as `key export-public` writes them; - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) signer: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["table", "out"]).required(true).multiple(true)))]
pub(crate) struct OpenArchive {
    /// The archive, sealed or plain; - is standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: ArchiveKeys,
    #[command(flatten)]
    pub(crate) signer: SignerFile,
    /// Only this table: a JSON array of rows.
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// The folder to write into (mode 0700): new, or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Reseal {
    /// The archive, sealed or plain; - is standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: ArchiveKeys,
    /// Where to write the copy; the archive itself is refused.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) overwriting: Overwriting,
    /// A recipient of the copy, as age1…; may be repeated.
    #[arg(long = "recipient", value_name = "AGE1…", value_parser = recipient)]
    pub(crate) recipients: Vec<PublicKey>,
}
