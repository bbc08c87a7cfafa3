//! The contents and the sealing of an archive: the same for a streamed and a stored one.

use std::path::PathBuf;

use clap::Args;
use strongroom_age::PublicKey;

use crate::cli::overwriting::Overwriting;
use crate::cli::values::recipient;
use crate::time::Since;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write it; for a folder, the server's file name is used; - is standard output.
    ///
    /// With -, check the exit code: discard the output of a failed export.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) overwriting: Overwriting,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

/// The contents of an archive.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(crate) tables: TableSelection,
    /// For groups with a time column, only rows since this time: an age such as 2w, 30d, 12h or 15m, or a time in RFC
    /// 3339.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<Since>,
}

/// The tables of an archive.
#[derive(Debug, Args)]
pub(crate) struct TableSelection {
    /// An optional group to include, such as gateway_logs or audit; may be repeated.
    #[arg(long = "include", value_name = "GROUP", value_delimiter = ',')]
    pub(crate) include: Vec<String>,
    /// Only these tables, separated by commas. Such an archive is marked as partial.
    #[arg(long, value_name = "TABLE,…", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
}

/// The sealing of an archive; by default, as the server is configured.
#[derive(Debug, Args)]
pub(crate) struct Sealing {
    /// Do not seal the archive. Encrypted columns stay encrypted, everything else is readable.
    #[arg(long, conflicts_with_all = ["passphrase_file", "recipients"])]
    pub(crate) plain: bool,
    /// Seal only with the passphrase in this file; - is standard input. Neither the vault nor a recovery key opens such
    /// an archive.
    #[arg(long, value_name = "FILE|-", conflicts_with = "recipients")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Seal to the vault and to this recipient (age1…) instead of the server's recipients; may be repeated.
    #[arg(long = "recipient", value_name = "AGE1…", value_parser = recipient)]
    pub(crate) recipients: Vec<PublicKey>,
}
