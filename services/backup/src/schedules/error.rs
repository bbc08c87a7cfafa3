//! Errors of schedules, in addition to those of backups.

use tonic::Code;

/// The reason why a schedule is not changed, or a run fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// No schedule has this name.
    #[error("there is no schedule {0:?}; `strongroom schedule list` lists those that exist")]
    NotFound(String),
    /// The name is taken.
    #[error("the schedule {0:?} already exists; delete it first, or choose another name")]
    Exists(String),
    /// The deployment has the maximum number of schedules.
    #[error("there are {0} schedules, which is as many as are allowed; delete one first")]
    Full(usize),
    /// It has changed since the caller read it.
    #[error("the schedule {0} was changed meanwhile; read it again")]
    Etag(String),
    /// Too many concurrent changes.
    #[error("the schedule {0} is being changed by others; try again")]
    Busy(String),
    /// The caller lacks a permission that runs need.
    #[error(
        "the schedule would act in your name, and you lack the permission {0} yourself; ask somebody with \
         the role operator or admin"
    )]
    Denied(&'static str),
    /// The previous run is still in progress.
    #[error(
        "the schedule's backup {backup} was still being made; give it more time between runs, or less with --timeout"
    )]
    Overlap {
        /// The id of its backup.
        backup: String,
    },
    /// Another replica has begun the run, or the schedule has changed.
    #[error("the schedule was changed while its run began; read it again")]
    Taken,
    /// The backup has only the vault's rows.
    #[error(
        "the sources have neither rows nor files, but the previous backup had {0}: this one is not stored; \
         if it is right, `strongroom schedule run` stores one, with which later ones are compared"
    )]
    Empty(i64),
    /// It exceeded the schedule's timeout.
    #[error(
        "the run took longer than the schedule's timeout of {0} s and was cancelled; allow more with --timeout"
    )]
    Timeout(u64),
}

impl ScheduleError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::NotFound(_) => (Code::NotFound, "SCHEDULE_NOT_FOUND"),
            Self::Exists(_) => (Code::AlreadyExists, "SCHEDULE_EXISTS"),
            Self::Full(_) => (Code::ResourceExhausted, "SCHEDULES_FULL"),
            Self::Etag(_) => (Code::Aborted, "ETAG_MISMATCH"),
            Self::Busy(_) | Self::Taken => (Code::Aborted, "SCHEDULE_BUSY"),
            Self::Denied(_) => (Code::PermissionDenied, "PERMISSION_DENIED"),
            Self::Overlap { .. } => (Code::Aborted, "RUN_OVERLAP"),
            Self::Empty(_) => (Code::FailedPrecondition, "BACKUP_EMPTY"),
            Self::Timeout(_) => (Code::DeadlineExceeded, "RUN_TIMEOUT"),
        }
    }
}
