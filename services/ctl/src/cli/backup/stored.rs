//! Commands for backups that the service stores.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use strongroom_api::backup::v1::BackupState;

use super::export::{Sealing, Selection, TableSelection};
use crate::cli::confirmation::Confirmation;
use crate::cli::values::backup_id;

/// A stored backup.
#[derive(Debug, Args)]
pub(crate) struct StoredBackup {
    /// The backup's id, as in `strongroom backup list`.
    #[arg(value_name = "ID", value_parser = backup_id)]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateBackup {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) sealing: Sealing,
    /// A destination of the server's configuration; may be repeated. By default, all of them.
    #[arg(long = "destination", value_name = "NAME", value_delimiter = ',')]
    pub(crate) destinations: Vec<String>,
    /// Print the backup as soon as it has begun.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListBackups {
    /// Only backups in this state; may be repeated. By default, all but deleted ones.
    #[arg(long = "state", value_name = "S", value_enum, value_delimiter = ',', ignore_case = true)]
    pub(crate) states: Vec<ListedState>,
    /// Deleted backups too.
    #[arg(long, conflicts_with = "states")]
    pub(crate) deleted: bool,
}

/// States as typed on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListedState {
    /// It is being made.
    Creating,
    /// It is stored in at least one destination.
    Available,
    /// It was not stored.
    Failed,
    /// It was deleted, and can be brought back.
    Deleted,
    /// Its files are being deleted.
    Deleting,
    /// A scan found it, and this vault does not know its signer.
    Unverified,
}

impl From<ListedState> for BackupState {
    fn from(state: ListedState) -> Self {
        match state {
            ListedState::Creating => Self::Creating,
            ListedState::Available => Self::Available,
            ListedState::Failed => Self::Failed,
            ListedState::Deleted => Self::Deleted,
            ListedState::Deleting => Self::Deleting,
            ListedState::Unverified => Self::Unverified,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DownloadBackup {
    #[command(flatten)]
    pub(crate) backup: StoredBackup,
    /// Where to write it; for a folder, the backup's file name is used; - is standard output.
    ///
    /// With -, check the exit code: discard the output of a failed download.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: PathBuf,
    /// The destination to read from; by default, the first that has the backup.
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
    /// Continue the FILE.partial of an interrupted download; start at the beginning if there is none.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Replace FILE once the download is complete. A FILE.partial of another backup is replaced immediately.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBackup {
    /// An archive file, sealed or plain (- is standard input), or the id of a stored backup.
    #[arg(value_name = "ID|FILE|-")]
    pub(crate) archive: PathBuf,
    /// For a stored backup: the destination to read from; by default, the first that has the backup.
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateBackup {
    #[command(flatten)]
    pub(crate) tables: TableSelection,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteBackup {
    #[command(flatten)]
    pub(crate) backup: StoredBackup,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

#[derive(Debug, Args)]
pub(crate) struct ScanBackups {
    /// A destination of the server's configuration; may be repeated. By default, all of them.
    #[arg(long = "destination", value_name = "NAME", value_delimiter = ',')]
    pub(crate) destinations: Vec<String>,
}
