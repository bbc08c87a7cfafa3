//! The status of each error: the code by which a client decides, and the stable reason.

use std::time::Duration;

use strongroom_runtime::status::{bad_request, exhausted, status, unavailable};
use strongroom_tables::Kind;
use tonic::{Code, Status};

use super::{DOMAIN, Error, MoveError, ReencryptError, RestoreError};

/// Retry delay when all permits are taken.
const RETRY_BUSY: Duration = Duration::from_secs(30);

/// Retry delay when a source is unavailable.
const RETRY_SOURCE: Duration = Duration::from_secs(10);

impl Error {
    /// The status for the caller.
    pub(crate) fn status(&self) -> Status {
        let (code, reason) = self.shape();
        match self {
            Self::Field { field, problem } => bad_request(DOMAIN, field, problem),
            Self::Busy(_)
            | Self::BackupsBusy(_)
            | Self::DownloadsBusy(_)
            | Self::Restore(RestoreError::Busy(_) | RestoreError::PlansBusy(_))
            | Self::Move(MoveError::Busy(_))
            | Self::Reencrypt(ReencryptError::Busy(_))
            | Self::UploadsBusy(_)
            | Self::CallerBusy(_)
            | Self::StagingBusy(_) => exhausted(DOMAIN, reason, &self.to_string(), RETRY_BUSY),
            Self::VaultAway { .. } => {
                let message = "the vault does not answer; try again when it runs";
                unavailable(DOMAIN, reason, message, RETRY_SOURCE)
            }
            _ if code == Code::Unavailable => unavailable(DOMAIN, reason, &self.to_string(), RETRY_SOURCE),
            // The messages are our own: those of databases repeat neither values nor SQL.
            _ => status(code, DOMAIN, reason, &self.to_string(), &[]),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per error, and none is forgotten")]
    pub(super) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::Config(_) | Self::Runtime(_) => (Code::Internal, "CONFIGURATION"),
            Self::Field { .. } => (Code::InvalidArgument, "INVALID_FIELD"),
            Self::NoRecoveryRecipient => (Code::FailedPrecondition, "NO_RECOVERY_RECIPIENT"),
            Self::Busy(_) => (Code::ResourceExhausted, "EXPORTS_BUSY"),
            Self::VaultAway { .. } => (Code::Unavailable, "VAULT_UNAVAILABLE"),
            Self::VaultBusy { .. } => (Code::Unavailable, "VAULT_BUSY"),
            Self::VaultRefused { .. } => (Code::Internal, "VAULT_REFUSED"),
            Self::VaultFailed { .. } => (Code::Internal, "VAULT_FAILED"),
            Self::Tables(error) => tables_shape(error),
            Self::SourceAway { .. } | Self::SourceSilent { .. } => (Code::Unavailable, "SOURCE_UNAVAILABLE"),
            Self::SourceFailed { source, .. } => (source_code(source.code()), "SOURCE_FAILED"),
            Self::SourceProtocol { .. } => (Code::Internal, "SOURCE_PROTOCOL"),
            Self::TableTaken { .. } => (Code::FailedPrecondition, "TABLE_NAME_TAKEN"),
            Self::ColumnName { .. } => (Code::FailedPrecondition, "COLUMN_NAME"),
            Self::TableMissing { .. } => (Code::FailedPrecondition, "TABLE_MISSING"),
            Self::ColumnMissing { .. } => (Code::FailedPrecondition, "COLUMN_MISSING"),
            Self::FileUnreadable { .. } => (Code::FailedPrecondition, "FILE_UNREADABLE"),
            Self::FileLimit { .. } | Self::TooManyEntries { .. } => {
                (Code::FailedPrecondition, "ARCHIVE_LIMIT")
            }
            Self::FileShrank { .. } => (Code::Aborted, "FILE_SHRANK"),
            Self::FileReplaced { .. } => (Code::Aborted, "FILE_REPLACED"),
            Self::UploadsBusy(_) => (Code::ResourceExhausted, "UPLOADS_BUSY"),
            Self::CallerBusy(_) => (Code::ResourceExhausted, "CALLER_BUSY"),
            Self::StagingBusy(_) => (Code::ResourceExhausted, "STAGING_BUSY"),
            Self::RowTooLarge { .. } => (Code::ResourceExhausted, "VERIFY_ROW_TOO_LARGE"),
            Self::DocumentTooLarge { .. } => (Code::ResourceExhausted, "VERIFY_DOCUMENT_TOO_LARGE"),
            Self::VerifyProcessor(_) => (Code::ResourceExhausted, "VERIFY_PROCESSOR_LIMIT"),
            Self::ClientTooSlow { .. } | Self::ClientTakesSlowly(_) => {
                (Code::DeadlineExceeded, "CLIENT_TOO_SLOW")
            }
            Self::VerifyTooLong(_) => (Code::DeadlineExceeded, "VERIFICATION_TOO_LONG"),
            Self::ClientSilent(_) => (Code::DeadlineExceeded, "CLIENT_STALLED"),
            Self::Staging(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                (Code::ResourceExhausted, "STAGING_FULL")
            }
            Self::Staging(_) => (Code::Internal, "STAGING_FAILED"),
            Self::Store(error) if error.kind() == strongroom_store::Kind::Unavailable => {
                (Code::Unavailable, "DATABASE_UNAVAILABLE")
            }
            Self::Store(_) => (Code::Internal, "DATABASE_FAILED"),
            Self::Storage(error) => (error.code(), error.reason()),
            Self::DestinationUnknown(_) => (Code::FailedPrecondition, "DESTINATION_UNKNOWN"),
            Self::TooManyParts(_) => (Code::FailedPrecondition, "ARCHIVE_OUTGREW_ESTIMATE"),
            Self::NoDestination => (Code::FailedPrecondition, "NO_DESTINATION"),
            Self::BackupsBusy(_) => (Code::ResourceExhausted, "BACKUPS_BUSY"),
            Self::DownloadsBusy(_) => (Code::ResourceExhausted, "DOWNLOADS_BUSY"),
            Self::BackupTooLong(_) => (Code::DeadlineExceeded, "BACKUP_TOO_LONG"),
            Self::DownloadTooLong(_) => (Code::DeadlineExceeded, "DOWNLOAD_TOO_LONG"),
            Self::DownloadStalled(_) => (Code::DeadlineExceeded, "CLIENT_STALLED"),
            Self::ScanBusy => (Code::Aborted, "SCAN_BUSY"),
            Self::BackupNotFound(_) => (Code::NotFound, "BACKUP_NOT_FOUND"),
            Self::BackupNeeded { .. } => (Code::FailedPrecondition, "BACKUP_NEEDED"),
            Self::BackupHeld(_) => (Code::FailedPrecondition, "BACKUP_HELD"),
            Self::BackupState { state, .. } => (Code::FailedPrecondition, state_reason(state)),
            Self::BackupPurging(_) => (Code::FailedPrecondition, "BACKUP_PURGING"),
            Self::BackupEtag(_) => (Code::Aborted, "ETAG_MISMATCH"),
            Self::BackupBusy(_) => (Code::Aborted, "BACKUP_BUSY"),
            Self::CopyMissing { .. } => (Code::FailedPrecondition, "COPY_MISSING"),
            Self::BackupChanged(_) => (Code::Aborted, "BACKUP_CHANGED"),
            Self::BackupDamaged { .. } => (Code::DataLoss, "BACKUP_DAMAGED"),
            Self::Fenced => (Code::Unavailable, "PROCESS_FENCED"),
            Self::TokenStale(_) => (Code::Unauthenticated, "TOKEN_STALE"),
            Self::ProcessDied(_) => (Code::Aborted, "PROCESS_DIED"),
            Self::Restore(error) => error.shape(),
            Self::Files(error) => error.shape(),
            Self::Move(error) => error.shape(),
            Self::Reencrypt(error) => error.shape(),
            Self::Schedule(error) => error.shape(),
            Self::Drill(error) => error.shape(),
            Self::ClientLeft => (Code::Cancelled, "CLIENT_LEFT"),
            Self::Stalled(_) => (Code::DeadlineExceeded, "CLIENT_STALLED"),
            Self::TooLong(_) => (Code::DeadlineExceeded, "EXPORT_TOO_LONG"),
            Self::ShuttingDown => (Code::Unavailable, "SHUTTING_DOWN"),
            Self::Archive(strongroom_archive::Error::Limit { .. }) => {
                (Code::FailedPrecondition, "ARCHIVE_LIMIT")
            }
            Self::Archive(_) => (Code::Internal, "ARCHIVE_FAILED"),
            Self::Defect(_) => (Code::Internal, "DEFECT"),
        }
    }
}

/// The reason for a state that does not allow the operation.
fn state_reason(state: &str) -> &'static str {
    match state {
        "creating" => "BACKUP_CREATING",
        "failed" => "BACKUP_FAILED",
        "deleted" => "BACKUP_DELETED",
        "deleting" => "BACKUP_PURGING",
        "unverified" => "BACKUP_UNVERIFIED",
        _ => "BACKUP_STATE",
    }
}

/// Converts a service's status code for the client of an export.
fn source_code(code: Code) -> Code {
    match code {
        Code::ResourceExhausted | Code::Aborted => Code::Unavailable,
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::NotFound
        | Code::Unimplemented => Code::FailedPrecondition,
        _ => Code::Internal,
    }
}

/// UNAVAILABLE if the database may recover by itself; FAILED_PRECONDITION if somebody must change something first.
fn tables_shape(error: &strongroom_tables::Error) -> (Code, &'static str) {
    use strongroom_tables::Error as Tables;
    match error {
        Tables::Vanished { .. } => return (Code::FailedPrecondition, "TABLE_VANISHED"),
        Tables::NotThere { .. } => return (Code::FailedPrecondition, "DATABASE_MISSING"),
        Tables::TimeColumn { .. } => return (Code::FailedPrecondition, "TIME_COLUMN"),
        Tables::Ambiguous { .. } => return (Code::FailedPrecondition, "TABLE_NAME_TAKEN"),
        Tables::EmptyFile { .. } => return (Code::FailedPrecondition, "DATABASE_EMPTY"),
        Tables::RowTooLarge { .. } => return (Code::FailedPrecondition, "ROW_TOO_LARGE"),
        Tables::ScratchServer { fault, .. } if fault.kind() == Kind::Unavailable => {
            return (Code::Unavailable, "SCRATCH_UNAVAILABLE");
        }
        Tables::ScratchServer { .. } | Tables::ScratchFolder { .. } => {
            return (Code::FailedPrecondition, "SCRATCH_REFUSED");
        }
        Tables::NotScratch { .. } => return (Code::FailedPrecondition, "NOT_SCRATCH"),
        Tables::Stale { .. } => return (Code::FailedPrecondition, "PLAN_STALE"),
        Tables::Refused { .. } => return (Code::FailedPrecondition, "RESTORE_REFUSED"),
        Tables::Value { .. } => return (Code::FailedPrecondition, "VALUE_REFUSED"),
        Tables::Constraint { .. } => return (Code::FailedPrecondition, "CONSTRAINT_VIOLATED"),
        Tables::Locked { .. } => return (Code::Unavailable, "TARGET_LOCKED"),
        Tables::PauseTooLong { .. } => return (Code::FailedPrecondition, "PAUSE_TOO_LONG"),
        Tables::NotApplied { .. } => return (Code::FailedPrecondition, "ROLLBACK_EXPIRED"),
        Tables::Superseded { .. } => return (Code::FailedPrecondition, "ROLLBACK_SUPERSEDED"),
        Tables::ChangedSince { .. } | Tables::NothingKept { .. } => {
            return (Code::FailedPrecondition, "ROWS_CHANGED");
        }
        Tables::NoPrimaryKey { .. } => return (Code::FailedPrecondition, "NO_PRIMARY_KEY"),
        Tables::NullInKey { .. } => return (Code::FailedPrecondition, "NULL_IN_PRIMARY_KEY"),
        Tables::NotWritable { .. } => return (Code::FailedPrecondition, "COLUMN_NOT_WRITABLE"),
        _ => {}
    }
    match error.kind() {
        Kind::Unavailable => (Code::Unavailable, "DATABASE_UNAVAILABLE"),
        Kind::NotFound => (Code::FailedPrecondition, "TABLE_MISSING"),
        Kind::Permission => (Code::FailedPrecondition, "DATABASE_DENIED"),
        Kind::Precondition => (Code::FailedPrecondition, "DATABASE_REFUSED"),
        Kind::Cancelled => (Code::Cancelled, "CLIENT_LEFT"),
        Kind::Internal => (Code::Internal, "DATABASE_FAILED"),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn failed(code: Code) -> Error {
        let source = Box::new(Status::new(code, "told so"));
        Error::SourceFailed { name: "shop".into(), source }
    }

    #[test]
    fn a_status_says_whether_trying_again_helps_and_which_source_it_is() {
        let away = Error::SourceAway { name: "shop".into(), url: "http://shop".into(), problem: "x".into() };
        for (error, code) in [
            (failed(Code::PermissionDenied), Code::FailedPrecondition),
            (failed(Code::Unimplemented), Code::FailedPrecondition),
            (failed(Code::ResourceExhausted), Code::Unavailable),
            (failed(Code::Internal), Code::Internal),
            (away, Code::Unavailable),
            (Error::SourceProtocol { name: "shop".into(), problem: "x".into() }, Code::Internal),
            (Error::FileLimit { name: "shop".into(), problem: "x".into() }, Code::FailedPrecondition),
        ] {
            let status = error.status();
            assert_eq!(status.code(), code, "{error}");
            assert!(status.message().contains("source shop"), "{}", status.message());
            let retry = status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some());
            assert_eq!(retry, code == Code::Unavailable, "{error}");
        }
    }
}
