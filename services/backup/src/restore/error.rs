//! Errors of restores, in addition to those of archives, databases and stored backups.

use tonic::{Code, Status};

/// The reason why a restore is not planned, applied or rolled back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Several sources have changed since a restore.
    #[error("{problems}")]
    ChangedSince {
        /// The message of each source.
        problems: String,
        /// The reason of the first one.
        reason: &'static str,
    },
    /// A source is configured as read-only.
    #[error(
        "source {0} cannot be restored: it needs restore_url_file (the URL of the tables' owner) in its configuration"
    )]
    NoRestoreUrl(String),
    /// The source's backups are made from one database, and a restore would change another one.
    #[error(
        "restore_url_file of source {0} leads to another database than its url: correct one of them in this server's \
         configuration, and start it again"
    )]
    OtherDatabase(String),
    /// The restore does not exist.
    #[error(
        "there is no restore {0}; `strongroom restore list` shows all of them, and plans are removed after a day"
    )]
    NotFound(String),
    /// The restore's state does not allow the operation.
    #[error("the restore {id} is {state}, and {wish}")]
    State {
        /// The restore.
        id: String,
        /// Its state.
        state: &'static str,
        /// The state that it must have.
        wish: &'static str,
    },
    /// The plan has expired.
    #[error("the plan {0} is more than a day old; plan it again")]
    PlanExpired(String),
    /// Another restore of the same source ended at this moment.
    #[error("another restore has just changed the source {0}; try again")]
    TargetWasBusy(String),
    /// Another restore is changing the same source.
    #[error(
        "source {source_name} is being changed by the restore {other}; wait until it ends: `strongroom restore \
         get {other}` shows its progress"
    )]
    TargetBusy {
        /// The source.
        source_name: String,
        /// The other restore.
        other: String,
    },
    /// The current attempt ends so that the restore can be rolled back.
    #[error("the restore {0} is about to be rolled back")]
    WantedBack(String),
    /// It was changed concurrently.
    #[error("the restore {0} was changed by another call at the same time; read it again")]
    Changed(String),
    /// The rows that it replaced were removed.
    #[error(
        "the restore {id} cannot be rolled back any more: the rows that it replaced were removed. {}",
        instead(safety_backup)
    )]
    RollbackExpired {
        /// The restore.
        id: String,
        /// The id of its safety backup, or empty.
        safety_backup: String,
    },
    /// The safety backup failed.
    #[error("the safety backup before the restore failed, so nothing was restored: {problem}")]
    SafetyBackup {
        /// The backup's problem.
        problem: String,
    },
    /// The archive differs from the planned one.
    #[error("the archive has changed since the restore was planned: {0}; plan it again")]
    ArchiveChanged(String),
    /// The upload does not exist.
    #[error("there is no upload {0} of this caller; uploads are removed after a day: send the archive again")]
    UploadNotFound(String),
    /// A restore in progress reads the upload.
    #[error(
        "the upload {0} is needed by a restore that has not ended; `strongroom restore list` shows which"
    )]
    UploadNeeded(String),
    /// The upload is incomplete.
    #[error(
        "the upload {id} is not complete: {received} of {size} bytes have arrived; `strongroom restore plan` \
         with the same file continues it"
    )]
    UploadIncomplete {
        /// The upload.
        id: String,
        /// Number of bytes that have arrived.
        received: u64,
        /// Size of the whole file.
        size: u64,
    },
    /// Another machine has the upload.
    #[error(
        "the upload {id} is on {host}, and this replica does not share its staging folder; put [backup] staging_dir on a volume \
         that all replicas share, or restore a stored backup"
    )]
    UploadElsewhere {
        /// The upload.
        id: String,
        /// The machine, or pod.
        host: String,
    },
    /// All permits for plans are taken.
    #[error("{0} restores are being planned, which is as many as this server allows; try again later")]
    PlansBusy(usize),
    /// All permits for restores are taken.
    #[error(
        "{0} restores are being applied or rolled back, which is as many as this server allows; try again later"
    )]
    Busy(usize),
    /// A plan reached its time limit.
    #[error("planning took longer than {0} s; [backup] restore_limit_seconds allows more")]
    PlanTooLong(u64),
    /// A restore reached its time limit.
    #[error("the restore took longer than {0} s; [backup] restore_limit_seconds allows more")]
    TooLong(u64),
    /// The source is no longer configured.
    #[error(
        "source {0} is no longer configured on this server; configure it as it was, and the restore continues by itself"
    )]
    SourceGone(String),
    /// A restore of the vault, or under another root key, needs a grant from a caller with the right to restore the
    /// vault.
    #[error(
        "this restore needs a grant from the vault: run `strongroom restore apply {0}`, which gets one. Through the API, call \
         IssueRestoreGrant with the restore's grant_terms and pass the grant to ApplyRestore"
    )]
    GrantMissing(String),
    /// A value of a declared column cannot be opened by any key, under another root key.
    #[error(
        "a value of {table}.{column} does not open under the archive's key ring, so it cannot be sealed \
         again; supply the root key that it needs, or restore it as it is with --accept-undecryptable"
    )]
    ValueUndecryptable {
        /// The table.
        table: String,
        /// Its column.
        column: String,
    },
    /// A service refused a request.
    #[error("source {name} refused: {}", source.message())]
    SourceRefused {
        /// The source.
        name: String,
        /// Its answer.
        source: Box<Status>,
    },
    /// A service's tables differ from those of the plan.
    #[error("the tables of source {0} have changed since the restore was planned; plan it again")]
    SourceStale(String),
    /// An error of one of several sources.
    #[error("source {name}: {source}")]
    OfSource {
        /// The source.
        name: String,
        /// The error.
        source: Box<super::super::error::Error>,
    },
    /// Chosen rows are not in the archive.
    #[error(
        "the archive does not have these rows of table {table}: {keys}; `strongroom archive open FILE \
         --table {table}`, with the file of a downloaded backup, shows those that it has"
    )]
    RowsMissing {
        /// The table's archive name.
        table: String,
        /// Some of their keys.
        keys: String,
    },
    /// The result cannot be determined.
    #[error("the outcome of the restore cannot be determined yet: {0}")]
    Unsettled(String),
    /// The descriptions of all tables together do not fit in memory.
    #[error(
        "the descriptions of the archive's tables have {bytes} bytes together, more than {most}; restore fewer tables at a time \
         (--tables)"
    )]
    SchemasTooLarge {
        /// Their total size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The process that applied it died.
    #[error(
        "the process on {0} that applied the restore ended before the restore was committed, and nothing was changed; \
         plan the restore again"
    )]
    ProcessDied(String),
    /// The process that rolled it back died.
    #[error(
        "the process on {0} that rolled the restore back ended before the rollback was complete; roll the restore back \
         again"
    )]
    RollbackDied(String),
}

impl RestoreError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::ChangedSince { reason, .. } => (Code::FailedPrecondition, reason),
            Self::NoRestoreUrl(_) => (Code::FailedPrecondition, "NO_RESTORE_URL"),
            Self::NotFound(_) => (Code::NotFound, "RESTORE_NOT_FOUND"),
            Self::OtherDatabase(_) => (Code::FailedPrecondition, "OTHER_DATABASE"),
            Self::UploadNeeded(_) => (Code::FailedPrecondition, "UPLOAD_NEEDED"),
            Self::RowsMissing { .. } => (Code::FailedPrecondition, "ROWS_MISSING"),
            Self::State { .. } => (Code::FailedPrecondition, "RESTORE_STATE"),
            Self::PlanExpired(_) => (Code::FailedPrecondition, "PLAN_EXPIRED"),
            Self::TargetBusy { .. } | Self::TargetWasBusy(_) => (Code::Aborted, "TARGET_BUSY"),
            Self::WantedBack(_) => (Code::Aborted, "RESTORE_WANTED_BACK"),
            Self::Changed(_) => (Code::Aborted, "RESTORE_CHANGED"),
            Self::RollbackExpired { .. } => (Code::FailedPrecondition, "ROLLBACK_EXPIRED"),
            Self::SafetyBackup { .. } => (Code::FailedPrecondition, "SAFETY_BACKUP_FAILED"),
            Self::ArchiveChanged(_) => (Code::Aborted, "ARCHIVE_CHANGED"),
            Self::UploadNotFound(_) => (Code::NotFound, "UPLOAD_NOT_FOUND"),
            Self::UploadIncomplete { .. } => (Code::FailedPrecondition, "UPLOAD_INCOMPLETE"),
            Self::UploadElsewhere { .. } => (Code::FailedPrecondition, "UPLOAD_ELSEWHERE"),
            Self::PlansBusy(_) => (Code::ResourceExhausted, "PLANS_BUSY"),
            Self::Busy(_) => (Code::ResourceExhausted, "RESTORES_BUSY"),
            Self::PlanTooLong(_) => (Code::DeadlineExceeded, "PLAN_TOO_LONG"),
            Self::TooLong(_) => (Code::DeadlineExceeded, "RESTORE_TOO_LONG"),
            Self::ProcessDied(_) | Self::RollbackDied(_) => (Code::Aborted, "PROCESS_DIED"),
            Self::SourceGone(_) => (Code::FailedPrecondition, "SOURCE_GONE"),
            Self::GrantMissing(_) => (Code::PermissionDenied, "GRANT_MISSING"),
            Self::ValueUndecryptable { .. } => (Code::FailedPrecondition, "VALUES_UNDECRYPTABLE"),
            Self::SourceRefused { .. } => (Code::FailedPrecondition, "SOURCE_REFUSED"),
            Self::SourceStale(_) => (Code::Aborted, "PLAN_STALE"),
            Self::OfSource { source, .. } => (source.status().code(), source.reason()),
            Self::Unsettled(_) => (Code::Unavailable, "RESTORE_UNSETTLED"),
            Self::SchemasTooLarge { .. } => (Code::ResourceExhausted, "SCHEMAS_TOO_LARGE"),
        }
    }
}

fn instead(safety_backup: &str) -> String {
    if safety_backup.is_empty() {
        return "The tables were empty before it.".to_owned();
    }
    format!(
        "Restore the backup that was taken before it: `strongroom restore plan {safety_backup} --mode replace`"
    )
}
