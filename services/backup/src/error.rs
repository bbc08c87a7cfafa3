//! Everything that can go wrong, by what a caller can do about it, and the one place where it becomes a
//! gRPC status.

use std::path::PathBuf;
use std::time::Duration;

use strongroom_runtime::status::{bad_request, exhausted, status};
use strongroom_tables::Kind;
use tonic::{Code, Status};

/// The `domain` of this service's errors.
pub(crate) const DOMAIN: &str = "backup.strongroom";

/// When it makes sense to ask again for a permit.
const RETRY_BUSY: Duration = Duration::from_secs(30);

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the service cannot start, or an export not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration contradicts itself or the sources.
    #[error("configuration: {0}")]
    Config(String),
    /// The process cannot run.
    #[error(transparent)]
    Runtime(#[from] strongroom_runtime::Error),

    /// A field of a request cannot be used.
    #[error("{field}: {problem}")]
    Field {
        /// Its path in the proto: `since`, and `tables[1]` for an element of a list.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Losing the root key would lose the archive.
    #[error(
        "this server has no recovery recipient to seal to, so that the loss of the root key would be the loss of \
         every archive; make one with `strongroom recovery create` and put it under [seal] recovery_recipients in \
         its configuration"
    )]
    NoRecoveryRecipient,
    /// All permits are taken.
    #[error("{0} exports are running, which is as many as this server allows; try again later")]
    Busy(usize),

    /// The vault cannot be reached.
    #[error("the vault at {url} does not answer; is it running? ({})", source.message())]
    VaultAway {
        /// Where it should be.
        url: String,
        /// What the call ended with.
        source: Box<Status>,
    },
    /// The vault does not take the service's own token.
    #[error(
        "the vault refuses the backup service's own token; issue one with the role backup-service ({})",
        source.message()
    )]
    VaultRefused {
        /// The vault's answer.
        source: Box<Status>,
    },
    /// The vault failed.
    #[error("the vault could not do what was asked of it: {}", source.message())]
    VaultFailed {
        /// The vault's answer.
        source: Box<Status>,
    },

    /// A database source.
    #[error(transparent)]
    Tables(#[from] strongroom_tables::Error),
    /// A gRPC source cannot be reached.
    #[error("source {name} at {url} does not answer: {problem}")]
    SourceAway {
        /// The source's name.
        name: String,
        /// Where it should be.
        url: String,
        /// What was tried, or the answer's message.
        problem: String,
    },
    /// A gRPC source refused or failed.
    #[error("source {name} could not be read: {}", source.message())]
    SourceFailed {
        /// The source's name.
        name: String,
        /// Its answer.
        source: Box<Status>,
    },
    /// A gRPC source does not keep to `strongroom.source.v1`.
    #[error("source {name} sent something unexpected: {problem}")]
    SourceProtocol {
        /// The source's name.
        name: String,
        /// What it sent.
        problem: String,
    },
    /// Two sources have a table of the same name.
    #[error(
        "table {table:?} is both in source {first} and in source {second}; exclude or rename one of them"
    )]
    TableTaken {
        /// The name in question.
        table: String,
        /// Where it was found first.
        first: String,
        /// Where it was found again.
        second: String,
    },
    /// A table of an included group is gone.
    #[error("source {name} has no table {table:?}, which its optional group {group:?} names")]
    TableMissing {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// The group.
        group: String,
    },

    /// An encrypted column, or one that its additional data is made of, is gone.
    #[error("source {name} has no column {column:?}, which its encrypted_columns name")]
    ColumnMissing {
        /// The source's name.
        name: String,
        /// Table and column.
        column: String,
    },

    /// A directory or a file of a file set cannot be read.
    #[error("source {name}: {} cannot be read: {source}", path.display())]
    FileUnreadable {
        /// The source's name.
        name: String,
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that no archive takes.
    #[error("source {name}: {problem}; rename the file or move it out of the directory")]
    FileRefused {
        /// The source's name.
        name: String,
        /// The file, and what is wrong with it.
        problem: String,
    },
    /// A file lost bytes that were to be read.
    #[error(
        "source {name}: the file {path:?} had {listed} bytes when the export began and then {found};          start again when nothing shortens it"
    )]
    FileShrank {
        /// The source's name.
        name: String,
        /// Below the source's directory.
        path: String,
        /// Bytes at the listing.
        listed: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file is gone, or another has its name.
    #[error("source {name}: the file {path:?} was removed or replaced after the export began; start again")]
    FileReplaced {
        /// The source's name.
        name: String,
        /// Below the source's directory.
        path: String,
    },

    /// All places of uploads are taken.
    #[error(
        "{0} archives are being received or verified, which is as many as this server allows; try again later"
    )]
    UploadsBusy(usize),
    /// All places that one caller may have are taken.
    #[error(
        "{0} archives of this caller are being received or verified, which is as many as one may have; try again later"
    )]
    CallerBusy(usize),
    /// The files of all uploads together are as large as they may be.
    #[error(
        "the archives being received and verified fill the {0} bytes that this server keeps for them; try again later \
         ([backup] staging_limit_bytes allows more)"
    )]
    StagingBusy(u64),
    /// A row is larger than this server holds in memory.
    #[error(
        "row {row} of table {table:?} has more than {limit} bytes, the limit of this server: the archive was not \
         verified, which does not mean that it is damaged; [backup] verify_row_limit_bytes allows more, and \
         `strongroom archive verify` checks it without this limit"
    )]
    RowTooLarge {
        /// The table's name, cut.
        table: String,
        /// Counted from 1.
        row: u64,
        /// How many bytes it may have.
        limit: u64,
    },
    /// The manifest, a description of a table or a key ring is larger than this server holds in memory.
    #[error(
        "{subject} has more than {limit} bytes, the limit of this server: the archive was not verified, which does not \
         mean that it is damaged; [backup] verify_manifest_limit_bytes allows more, and `strongroom archive verify` \
         checks it without this limit"
    )]
    DocumentTooLarge {
        /// Which one.
        subject: String,
        /// How many bytes it may have.
        limit: u64,
    },
    /// A verification takes more of a processor than its file's size explains.
    #[error(
        "the verification took more than {0} s of a processor, the limit of this server for a file of its size: the \
         archive was not verified; [backup] verify_processor_seconds allows more"
    )]
    VerifyProcessor(u64),
    /// The absolute limit of a verification.
    #[error("the verification took longer than {0} s; verify_limit_seconds allows more")]
    VerifyTooLong(u64),
    /// The client of a verification is there and does nothing.
    #[error("the client sent nothing, or took no answer, for {0} s; send the file again")]
    ClientSilent(u64),
    /// The client of a verification does too little.
    #[error(
        "the client is too slow: it must send {bytes} bytes within each {seconds} s; send the file again over a faster \
         connection, or in smaller chunks"
    )]
    ClientTooSlow {
        /// How much it must send.
        bytes: u64,
        /// Within so many seconds.
        seconds: u64,
    },
    /// The client of a verification has taken its answers too slowly.
    #[error(
        "the client was waited for for more than {0} s in all while it took its answers; send the file again"
    )]
    ClientTakesSlowly(u64),
    /// A file cannot be kept while it is verified.
    #[error("the file cannot be staged: {0}; is there room where [backup] staging_dir says?")]
    Staging(std::io::Error),

    /// The client is gone.
    #[error("the client left before the end")]
    ClientLeft,
    /// The client is there but takes nothing.
    #[error(
        "the client took nothing for {0} s, and a snapshot is not held for it; use a stored backup instead"
    )]
    Stalled(u64),
    /// The absolute limit of an export.
    #[error(
        "the export took longer than {0} s, and a snapshot is not held for ever; \
         use a stored backup, whose download can be resumed"
    )]
    TooLong(u64),
    /// The service stops.
    #[error("the backup service is shutting down; try again in a moment")]
    ShuttingDown,
    /// The archive could not be written.
    #[error("the archive could not be written: {0}")]
    Archive(strongroom_archive::Error),
    /// A defect of this service.
    #[error("internal error: {0}")]
    Defect(String),
}

impl Error {
    /// The wrong field of a request.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }

    /// The wrong element of a list, counted from 0.
    pub(crate) fn element(list: &str, at: usize, problem: impl Into<String>) -> Self {
        Self::field(format!("{list}[{at}]"), problem)
    }

    /// The stable reason: in `ErrorInfo` and in the audit log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.shape().1
    }

    /// Whether it was the client that did not want the rest, or not in time.
    pub(crate) fn is_abort(&self) -> bool {
        matches!(
            self,
            Self::ClientLeft
                | Self::Stalled(_)
                | Self::TooLong(_)
                | Self::ClientSilent(_)
                | Self::ClientTooSlow { .. }
                | Self::ClientTakesSlowly(_)
                | Self::VerifyTooLong(_)
        )
    }

    /// What the caller hears. Causes inside the server stay in its log.
    pub(crate) fn status(&self) -> Status {
        let (code, reason) = self.shape();
        match self {
            Self::Field { field, problem } => bad_request(DOMAIN, field, problem),
            Self::Busy(_) | Self::UploadsBusy(_) | Self::CallerBusy(_) | Self::StagingBusy(_) => {
                exhausted(DOMAIN, reason, &self.to_string(), RETRY_BUSY)
            }
            Self::VaultAway { .. } => {
                status(code, DOMAIN, reason, "the vault does not answer; try again when it runs", &[])
            }
            _ if code == Code::Internal => {
                let message = format!("the server failed ({reason}); its log says why");
                status(code, DOMAIN, reason, &message, &[])
            }
            _ => status(code, DOMAIN, reason, &self.to_string(), &[]),
        }
    }

    fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::Config(_) | Self::Runtime(_) => (Code::Internal, "CONFIGURATION"),
            Self::Field { .. } => (Code::InvalidArgument, "INVALID_FIELD"),
            Self::NoRecoveryRecipient => (Code::FailedPrecondition, "NO_RECOVERY_RECIPIENT"),
            Self::Busy(_) => (Code::ResourceExhausted, "EXPORTS_BUSY"),
            Self::VaultAway { .. } => (Code::Unavailable, "VAULT_UNAVAILABLE"),
            Self::VaultRefused { .. } => (Code::Internal, "VAULT_REFUSED"),
            Self::VaultFailed { .. } => (Code::Internal, "VAULT_FAILED"),
            Self::Tables(error) => tables_shape(error),
            Self::SourceAway { .. } => (Code::Unavailable, "SOURCE_UNAVAILABLE"),
            Self::SourceFailed { .. } => (Code::Internal, "SOURCE_FAILED"),
            Self::SourceProtocol { .. } => (Code::Internal, "SOURCE_PROTOCOL"),
            Self::TableTaken { .. } => (Code::FailedPrecondition, "TABLE_NAME_TAKEN"),
            Self::TableMissing { .. } => (Code::FailedPrecondition, "TABLE_MISSING"),
            Self::ColumnMissing { .. } => (Code::FailedPrecondition, "COLUMN_MISSING"),
            Self::FileUnreadable { .. } => (Code::FailedPrecondition, "FILE_UNREADABLE"),
            Self::FileRefused { .. } => (Code::FailedPrecondition, "FILE_REFUSED"),
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

/// What a database cannot give now is UNAVAILABLE; what somebody must change first, FAILED_PRECONDITION.
fn tables_shape(error: &strongroom_tables::Error) -> (Code, &'static str) {
    use strongroom_tables::Error as Tables;
    match error {
        Tables::Vanished { .. } => return (Code::FailedPrecondition, "TABLE_VANISHED"),
        Tables::NotThere { .. } => return (Code::FailedPrecondition, "DATABASE_MISSING"),
        Tables::TimeColumn { .. } => return (Code::FailedPrecondition, "TIME_COLUMN"),
        Tables::Ambiguous { .. } => return (Code::FailedPrecondition, "TABLE_NAME_TAKEN"),
        Tables::NotUtf8 { .. } => return (Code::FailedPrecondition, "NOT_UTF8"),
        _ => {}
    }
    match error.kind() {
        Kind::Unavailable => (Code::Unavailable, "DATABASE_UNAVAILABLE"),
        Kind::NotFound => (Code::FailedPrecondition, "TABLE_MISSING"),
        Kind::Permission => (Code::FailedPrecondition, "DATABASE_DENIED"),
        Kind::Cancelled => (Code::Cancelled, "CLIENT_LEFT"),
        Kind::Internal => (Code::Internal, "DATABASE_FAILED"),
    }
}

/// Work on a thread of its own does not end early by itself.
impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Defect(format!("a thread died: {error}"))
    }
}

/// The archive's receiver is ours, so its error is one of ours on a detour.
impl From<strongroom_archive::Error> for Error {
    fn from(error: strongroom_archive::Error) -> Self {
        match error {
            strongroom_archive::Error::Sink(source) => match source.downcast::<Self>() {
                Ok(own) => own,
                Err(other) => Self::Archive(strongroom_archive::Error::Sink(other)),
            },
            other => Self::Archive(other),
        }
    }
}

impl From<strongroom_age::Error> for Error {
    fn from(error: strongroom_age::Error) -> Self {
        strongroom_archive::Error::from(error).into()
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
