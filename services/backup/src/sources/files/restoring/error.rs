//! Errors of restoring a file set, grouped by how a caller can react.

use std::path::PathBuf;

use tonic::Code;

use super::refusal::FilesRefusal;

/// The reason why a file set is not restored, or not rolled back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The file system refused an operation.
    #[error("source {name}: {what} {}: {source}", path.display())]
    Failed {
        /// The source's name.
        name: String,
        /// The operation.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The directory differs from the planned one.
    #[error(
        "source {0}: its path leads to another directory than when the restore was planned: plan it again"
    )]
    Stale(String),
    /// The restore is refused.
    #[error("source {name} is not restored: {}", said(refusals))]
    Refused {
        /// The source's name.
        name: String,
        /// The reasons; never empty.
        refusals: Vec<FilesRefusal>,
    },
    /// A file of the archive differs from its manifest.
    #[error(
        "the file {path:?} of the archive is not what its manifest says: {problem}; restore another archive"
    )]
    Content {
        /// Path below the set.
        path: String,
        /// The difference.
        problem: String,
    },
    /// A file changed between its comparison and the swap.
    #[error(
        "source {name}: the file {path:?} was changed or removed while the restore was staged, so nothing \
         was changed; plan it again"
    )]
    ChangedMeanwhile {
        /// The source's name.
        name: String,
        /// Path below the source's directory.
        path: String,
    },
    /// An object that a restore does not touch is in a file's place.
    #[error(
        "source {name}: {found} is in the way at {path:?}, and a restore does not touch it: move it away, and the restore continues"
    )]
    InTheWay {
        /// The source's name.
        name: String,
        /// Path below the source's directory.
        path: String,
        /// The object's kind.
        found: &'static str,
    },
    /// The folder of restores was not made by this service.
    #[error(
        "source {name}: {} is not as the backup service left it: {problem}; find out who has changed it, and move it out of the \
         directory by hand",
        path.display()
    )]
    Foreign {
        /// The source's name.
        name: String,
        /// The folder, or a file in it.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The file system supports neither exchanging files nor linking one.
    #[error(
        "source {name}: its file system can neither exchange two files nor link one, so files could not be \
         replaced without being absent for a moment: put the directory on another one"
    )]
    NoExchange {
        /// The source's name.
        name: String,
    },
    /// Another process is working in the directory.
    #[error(
        "source {name}: another process is restoring into the directory; if none should be, end it, and try again"
    )]
    Locked {
        /// The source's name.
        name: String,
    },
    /// There is already a stage with this id.
    #[error("source {name}: the restore {restore} has files staged already; discard them first")]
    Exists {
        /// The source's name.
        name: String,
        /// The restore's id.
        restore: String,
    },
    /// A restore to be swapped has no stage, or an incomplete one.
    #[error("source {name}: the restore {restore} has no complete stage; plan it again")]
    NotStaged {
        /// The source's name.
        name: String,
        /// The restore's id.
        restore: String,
    },
    /// A restore to be swapped is being rolled back.
    #[error("source {name}: the restore {restore} is being rolled back: continue that")]
    RollingBack {
        /// The source's name.
        name: String,
        /// The restore's id.
        restore: String,
    },
    /// There is no such restore to roll back.
    #[error("source {name} no longer has the files of the restore {restore}: restore its safety backup")]
    NotApplied {
        /// The source's name.
        name: String,
        /// The restore's id.
        restore: String,
    },
    /// A newer restore has changed the same set.
    #[error(
        "the restore {newer} of source {name} is newer and has changed the same files: roll that one back first"
    )]
    Superseded {
        /// The source's name.
        name: String,
        /// The newer one's id.
        newer: String,
    },
    /// Files have changed since a restore.
    #[error(
        "{count} files of source {name} have changed since the restore, {} among them: roll back with --discard-changes to lose \
         all changes since then",
        paths.join(", ")
    )]
    ChangedSince {
        /// The source's name.
        name: String,
        /// Some of them, quoted.
        paths: Vec<String>,
        /// Number of files.
        count: usize,
    },
    /// A defect of this service.
    #[error("internal error: {0}")]
    Defect(String),
}

impl FilesError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::Failed { source, .. } if is_full(source) => (Code::FailedPrecondition, "DISK_FULL"),
            Self::Failed { .. } => (Code::FailedPrecondition, "FILE_FAILED"),
            Self::Stale(_) => (Code::FailedPrecondition, "PLAN_STALE"),
            Self::Refused { .. } => (Code::FailedPrecondition, "RESTORE_REFUSED"),
            Self::Content { .. } => (Code::DataLoss, "ARCHIVE_DAMAGED"),
            Self::ChangedMeanwhile { .. } => (Code::Aborted, "FILES_CHANGED"),
            Self::InTheWay { .. } => (Code::FailedPrecondition, "PATH_BLOCKED"),
            Self::Foreign { .. } => (Code::FailedPrecondition, "RESTORE_FOLDER"),
            Self::NoExchange { .. } => (Code::FailedPrecondition, "FILE_SYSTEM"),
            Self::Locked { .. } => (Code::Unavailable, "TARGET_LOCKED"),
            Self::Exists { .. } => (Code::FailedPrecondition, "OTHER_RESTORE"),
            Self::NotStaged { .. } => (Code::FailedPrecondition, "PLAN_STALE"),
            Self::RollingBack { .. } => (Code::FailedPrecondition, "RESTORE_STATE"),
            Self::NotApplied { .. } => (Code::FailedPrecondition, "ROLLBACK_EXPIRED"),
            Self::Superseded { .. } => (Code::FailedPrecondition, "ROLLBACK_SUPERSEDED"),
            Self::ChangedSince { .. } => (Code::FailedPrecondition, "FILES_CHANGED"),
            Self::Defect(_) => (Code::Internal, "DEFECT"),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// All messages, joined.
fn said(refusals: &[FilesRefusal]) -> String {
    refusals.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ")
}
