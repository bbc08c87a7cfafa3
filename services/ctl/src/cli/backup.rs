//! `strongroom backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use strongroom_age::X25519Recipient;

use super::values::recipient;
use crate::time::Since;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Build an archive of everything and stream it to this machine.
    ///
    /// The archive is written to FILE.partial and renamed to FILE only when it is complete and its digest is the server's.
    ///
    /// It is sealed (age, .zip.age) to the vault and to the recovery recipients of the server's configuration,
    /// unless --plain, --passphrase-file or --recipient is given; each needs a permission.
    Export(Export),
    /// Upload an archive and have it checked with the vault: the seal, the signature, every byte and row, and whether every
    /// sealed value in it would open today.
    ///
    /// Prints verdicts, and the ids of rows whose values would not open. Exit code 0 only if the archive passes; 3 if it is
    /// intact, but not signed by a key that the vault knows. `archive verify` checks everything but the sealed values on
    /// this machine.
    Verify {
        /// The archive's file, sealed or plain.
        #[arg(value_name = "FILE")]
        archive: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write it; a folder takes the server's file name, - is standard output.
    ///
    /// An existing file is replaced only once the new one is complete. With -, check the exit code: discard the output of a
    /// failed export.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: PathBuf,
    /// An optional group to include, such as gateway_logs or audit; may be repeated.
    #[arg(long = "include", value_name = "GROUP", value_delimiter = ',')]
    pub(crate) include: Vec<String>,
    /// Of groups with a time column, only rows since then: an age such as 2w, 30d, 12h or 15m, or a time in
    /// RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<Since>,
    /// Only these tables, separated by commas. Such an archive is marked as partial.
    #[arg(long, value_name = "TABLE,…", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Do not seal the archive. Encrypted columns stay encrypted, everything else is readable.
    #[arg(long, conflicts_with_all = ["passphrase_file", "recipients"])]
    pub(crate) plain: bool,
    /// Seal with the passphrase in this file alone; - is standard input. Neither the vault nor a recovery key
    /// opens such an archive.
    #[arg(long, value_name = "FILE|-", conflicts_with = "recipients")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Seal to the vault and to this recipient (age1…) instead of the server's; may be repeated.
    #[arg(long = "recipient", value_name = "AGE1…", value_parser = recipient)]
    pub(crate) recipients: Vec<X25519Recipient>,
}
