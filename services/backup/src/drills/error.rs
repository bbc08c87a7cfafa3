//! Errors of drills, in addition to those of backups and restores.

use tonic::Code;

/// The reason why a drill does not begin, or has not passed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// The configuration names no place for a source's scratch database.
    #[error(
        "source {source_name} is a database of {kind}, and the server has no place to restore it for a drill: set {key} under \
         [drill] in its configuration"
    )]
    NoScratch {
        /// The first such source.
        source_name: String,
        /// `PostgreSQL` or `SQLite`.
        kind: &'static str,
        /// The missing option.
        key: &'static str,
    },
    /// No drill has this id.
    #[error("there is no drill {0}; `strongroom drill list` lists those that exist")]
    NotFound(String),
    /// Another drill is running.
    #[error("the drill {0} is running, and one runs at a time; `strongroom drill get {0}` shows how it ends")]
    Busy(String),
    /// Another drill runs in this process, or has just ended.
    #[error(
        "another drill is running or has just ended, and one runs at a time; `strongroom drill list` shows it"
    )]
    BusyElsewhere,
    /// There is no backup to drill.
    #[error("no stored backup can be restored; `strongroom backup create` makes one")]
    NoBackup,
    /// A check has failed.
    #[error("{0}")]
    Failed(String),
    /// There was nothing to restore.
    #[error(
        "nothing was restored: the backup has no database; files, services and the vault are verified only"
    )]
    NothingRestored,
    /// It exceeded its time limit.
    #[error("the drill took longer than {0} s (restore_limit_seconds) and was cancelled")]
    TooLong(u64),
    /// The process that ran it died.
    #[error(
        "the process on {0} that ran the drill ended before the drill did; a schedule repeats its drill by itself, and \
         `strongroom drill run` repeats any other"
    )]
    ProcessDied(String),
}

impl DrillError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::NoScratch { .. } => (Code::FailedPrecondition, "NO_SCRATCH"),
            Self::NotFound(_) => (Code::NotFound, "DRILL_NOT_FOUND"),
            Self::Busy(_) | Self::BusyElsewhere => (Code::Aborted, "DRILL_BUSY"),
            Self::NoBackup => (Code::FailedPrecondition, "NO_BACKUP"),
            Self::Failed(_) => (Code::FailedPrecondition, "DRILL_FAILED"),
            Self::NothingRestored => (Code::FailedPrecondition, "NOTHING_RESTORED"),
            Self::TooLong(_) => (Code::DeadlineExceeded, "DRILL_TOO_LONG"),
            Self::ProcessDied(_) => (Code::Aborted, "PROCESS_DIED"),
        }
    }
}
