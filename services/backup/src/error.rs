//! All errors, grouped by how a caller can react. [`status`] converts them into gRPC statuses.

mod status;

use std::path::PathBuf;

use strongroom_runtime::status::causes;
use tonic::{Code, Status};

use crate::backups::destinations::error::StorageError;
use crate::backups::destinations::parts::TooManyParts;
pub use crate::drills::error::DrillError;
pub use crate::moving::error::MoveError;
pub use crate::reencryption::error::ReencryptError;
pub use crate::restore::error::RestoreError;
pub use crate::schedules::error::ScheduleError;
pub use crate::sources::{FilesError, FilesRefusal};

/// The `domain` of this service's errors.
pub(crate) const DOMAIN: &str = "backup.strongroom";

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why the service cannot start or an operation fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration contradicts itself or the sources.
    #[error("configuration: {0}")]
    Config(String),
    /// The process cannot run.
    #[error(transparent)]
    Runtime(#[from] strongroom_runtime::Error),

    /// A restore of the vault brought back the caller's token.
    #[error(
        "the token {0} is stale: it came back with a restore of the vault, and authenticates nobody until somebody runs \
         `strongroom token reissue {0}` and hands out the new secret"
    )]
    TokenStale(String),
    /// A field of a request is invalid.
    #[error("{field}: {problem}")]
    Field {
        /// Its path in the proto: `since`, and `tables[1]` for an element of a list.
        field: String,
        /// The problem.
        problem: String,
    },
    /// Losing the root key would mean losing the archive.
    #[error(
        "this server has no recovery recipient to seal to, so losing the root key would mean losing every \
         archive; make one with `strongroom recovery create` and put it under [seal] recovery_recipients in \
         its configuration"
    )]
    NoRecoveryRecipient,
    /// All permits are taken.
    #[error("{0} exports are running, which is as many as this server allows; try again later")]
    Busy(usize),

    /// The vault cannot be reached.
    #[error("the vault at {url} does not answer; is it running? ({})", causes(source))]
    VaultAway {
        /// The vault's address.
        url: String,
        /// The status of the failed call.
        source: Box<Status>,
    },
    /// The vault has too many calls in progress.
    #[error("the vault at {url} has too many calls in progress; try again in a moment ({})", source.message())]
    VaultBusy {
        /// The vault's address.
        url: String,
        /// The vault's answer.
        source: Box<Status>,
    },
    /// The vault rejects the service's own token, or does not know its certificate.
    #[error(
        "the vault refuses the backup service itself; it needs a token or an identity with the role backup-service ({})",
        source.message()
    )]
    VaultRefused {
        /// The vault's answer.
        source: Box<Status>,
    },
    /// The vault failed.
    #[error("the vault could not do what the backup service asked of it: {}", source.message())]
    VaultFailed {
        /// The vault's answer.
        source: Box<Status>,
    },

    /// A database source failed.
    #[error(transparent)]
    Tables(#[from] strongroom_tables::Error),
    /// A gRPC source cannot be reached.
    #[error("source {name} at {url} does not answer: {problem}")]
    SourceAway {
        /// The source's name.
        name: String,
        /// The source's address.
        url: String,
        /// The failed step, or the answer's message.
        problem: String,
    },
    /// A source accepted the connection and then did not answer.
    #[error(
        "source {name} did not list its tables within {seconds} s; check whether it hangs, then try again"
    )]
    SourceSilent {
        /// The source's name.
        name: String,
        /// The time limit.
        seconds: u64,
    },
    /// A gRPC source refused the call or failed.
    #[error("source {name} could not be read: {}", source.message())]
    SourceFailed {
        /// The source's name.
        name: String,
        /// Its answer.
        source: Box<Status>,
    },
    /// A gRPC source violates `strongroom.source.v1`.
    #[error("source {name} sent something unexpected: {problem}")]
    SourceProtocol {
        /// The source's name.
        name: String,
        /// The violation.
        problem: String,
    },
    /// Two tables would have the same name in archives.
    #[error(
        "the name {table:?} of a table of source {second} is already taken in archives by source {first}; give \
         source {second} a table_prefix under [[sources]], or exclude the table"
    )]
    TableTaken {
        /// The name.
        table: String,
        /// The source in which it was found first.
        first: String,
        /// The source in which it was found again.
        second: String,
    },
    /// No template of additional data can contain the table's own name.
    #[error(
        "the encrypted column {column:?} of table {table:?} cannot be declared under the table's name in archives, \
         {name:?}: the aad names {{table}}, and a name with braces cannot be put in its place; write the aad without \
         {{table}}, or list the source first"
    )]
    ColumnName {
        /// The table's own name.
        table: String,
        /// The column.
        column: String,
        /// The table's name in archives.
        name: String,
    },
    /// A table of an included group no longer exists.
    #[error("source {name} has no table {table:?}, which its optional group {group:?} names")]
    TableMissing {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// The group.
        group: String,
    },

    /// An encrypted column, or a column of its additional data, no longer exists.
    #[error("source {name} has no column {column:?}, which its encrypted_columns name")]
    ColumnMissing {
        /// The source's name.
        name: String,
        /// Table and column.
        column: String,
    },

    /// A directory or a file of a file set cannot be read.
    #[error("source {name}: {} cannot be read: {source}{}", path.display(), of_reading(source))]
    FileUnreadable {
        /// The source's name.
        name: String,
        /// The directory or file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// More files, or larger ones, than an archive can hold.
    #[error(
        "source {name}: {problem}; move files out of the directory, for example into one that another backup service \
         backs up"
    )]
    FileLimit {
        /// The source's name.
        name: String,
        /// The limit, and the excess.
        problem: String,
    },
    /// More tables and files together than an archive can hold.
    #[error(
        "{tables} tables, {files} files and {large_objects} large objects make more than the {limit} entries that an \
         archive holds; exclude tables, move files out of the directories, or divide the sources between two backup \
         services"
    )]
    TooManyEntries {
        /// Number of tables of all sources.
        tables: usize,
        /// Number of files of all file sets.
        files: usize,
        /// Number of large objects of all databases.
        large_objects: usize,
        /// Maximum number of entries.
        limit: u64,
    },
    /// A file shrank before it was read.
    #[error(
        "source {name}: the file {path:?} had {listed} bytes when the export began and then {found}; \
         start again when nothing shortens it"
    )]
    FileShrank {
        /// The source's name.
        name: String,
        /// The path, relative to the source's directory.
        path: String,
        /// Bytes when it was listed.
        listed: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file no longer exists, or another file has its name.
    #[error("source {name}: the file {path:?} was removed or replaced after the export began; start again")]
    FileReplaced {
        /// The source's name.
        name: String,
        /// The path, relative to the source's directory.
        path: String,
    },

    /// All upload slots are taken.
    #[error(
        "{0} archives are being received or verified, which is as many as this server allows; try again later"
    )]
    UploadsBusy(usize),
    /// All upload slots that one caller may have are taken.
    #[error(
        "{0} archives of this caller are being received or verified, which is as many as one caller may have; try again later"
    )]
    CallerBusy(usize),
    /// The uploads together have reached the staging limit.
    #[error(
        "the archives that are received, verified, or kept for a day in order to be restored leave no room for this one in the \
         {0} bytes that this server has for them; try again later ([backup] staging_limit_bytes allows more)"
    )]
    StagingBusy(u64),
    /// A row is larger than this server's memory limit for rows.
    #[error(
        "row {row} of table {table:?} has more than {limit} bytes, the limit of this server: the archive was not \
         verified, which does not mean that it is damaged; [backup] verify_row_limit_bytes allows more, and \
         `strongroom archive verify` checks it without this limit"
    )]
    RowTooLarge {
        /// The table's name, shortened.
        table: String,
        /// Counted from 1.
        row: u64,
        /// Maximum number of bytes.
        limit: u64,
    },
    /// The manifest, a description of a table or a key ring is larger than this server's memory limit.
    #[error(
        "{subject} has more than {limit} bytes, the limit of this server: the archive was not verified, which does not \
         mean that it is damaged; [backup] verify_manifest_limit_bytes allows more, and `strongroom archive verify` \
         checks it without this limit"
    )]
    DocumentTooLarge {
        /// The document.
        subject: String,
        /// Maximum number of bytes.
        limit: u64,
    },
    /// A verification takes more processor time than its file's size explains.
    #[error(
        "the verification took more than {0} s of processor time, the limit of this server for a file of its \
         size: the archive was not verified; [backup] verify_processor_seconds allows more"
    )]
    VerifyProcessor(u64),
    /// A verification reached its time limit.
    #[error("the verification took longer than {0} s; verify_limit_seconds allows more")]
    VerifyTooLong(u64),
    /// The client of a verification is connected but idle.
    #[error("the client sent nothing, or read no answer, for {0} s; send the file again")]
    ClientSilent(u64),
    /// The client of a verification is too slow.
    #[error(
        "the client is too slow: it must send {bytes} bytes within each {seconds} s; send the file again over a faster \
         connection, or in smaller chunks"
    )]
    ClientTooSlow {
        /// Bytes that it must send in each interval.
        bytes: u64,
        /// The interval in seconds.
        seconds: u64,
    },
    /// The client of a verification took its answers too slowly.
    #[error(
        "the service waited more than {0} s in all for the client to read its answers; send the file again"
    )]
    ClientTakesSlowly(u64),
    /// A file cannot be staged while it is verified.
    #[error("the file cannot be staged: {0}; is there room in [backup] staging_dir?")]
    Staging(std::io::Error),

    /// The service's own database failed.
    #[error("the backup service's database: {0}")]
    Store(#[from] strongroom_store::Error),
    /// A destination of backups failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no destination to store backups in.
    #[error(
        "no destination is configured; give one under [[destinations]] in the configuration, or use `strongroom backup \
         export`, which streams an archive to its caller"
    )]
    NoDestination,
    /// A copy is in a destination that is no longer configured.
    #[error("the destination {0:?} is no longer in the configuration; put it back under [[destinations]]")]
    DestinationUnknown(String),
    /// The archive is too large for its multipart upload.
    #[error(transparent)]
    TooManyParts(#[from] TooManyParts),
    /// All permits to make backups are taken.
    #[error(
        "{0} backups are being made, which is as many as this server allows; try again when one of them has ended: \
         `strongroom backup list --state creating` shows them"
    )]
    BackupsBusy(usize),
    /// All permits for downloads are taken.
    #[error("{0} backups are being downloaded, which is as many as this server allows; try again later")]
    DownloadsBusy(usize),
    /// Making a stored backup reached its time limit.
    #[error(
        "the backup took longer than {0} s, and a snapshot is not held for ever; [backup] create_limit_seconds allows \
         more"
    )]
    BackupTooLong(u64),
    /// A download reached its time limit.
    #[error("the download took longer than {0} s; resume it where it ended")]
    DownloadTooLong(u64),
    /// The client of a download is connected but reads nothing.
    #[error("the client read nothing for {0} s; resume the download where it ended")]
    DownloadStalled(u64),
    /// Another scan is running.
    #[error("a scan is running in this process; wait until it ends")]
    ScanBusy,
    /// The backup does not exist.
    #[error("there is no backup {0}; `strongroom backup list --deleted` shows all of them")]
    BackupNotFound(String),
    /// A held backup cannot be deleted.
    #[error("the backup {0} is on hold; `strongroom backup unhold` releases it")]
    BackupHeld(String),
    /// A restore that has not ended reads it, or has taken it as its safety backup.
    #[error(
        "the backup {id} is needed by the restore {restore}, which has not ended: wait for it, or roll it \
             back; `strongroom restore get {restore}` shows its progress"
    )]
    BackupNeeded {
        /// The backup.
        id: String,
        /// The restore.
        restore: String,
    },
    /// The backup's state does not allow the operation.
    #[error("the backup {id} is {state}, and {wish}; {}", remedy(state))]
    BackupState {
        /// The backup.
        id: String,
        /// Its state.
        state: &'static str,
        /// The states that would allow the operation.
        wish: &'static str,
    },
    /// It is too late to undelete it.
    #[error("the files of the backup {0} are being deleted; nothing brings it back")]
    BackupPurging(String),
    /// It changed meanwhile.
    #[error("the backup {0} was changed since it was read; read it again")]
    BackupEtag(String),
    /// Too many concurrent changes.
    #[error("the backup {0} is being changed by others; try again in a moment")]
    BackupBusy(String),
    /// None of its copies can be read.
    #[error("{}", no_copy(id, destination, stored))]
    CopyMissing {
        /// The backup.
        id: String,
        /// The requested destination; empty means any.
        destination: String,
        /// Destinations that have a copy.
        stored: Vec<String>,
    },
    /// The stored object differs from the one of which the client already has a part.
    #[error(
        "the stored file of the backup {0} was replaced since the download began; find out by whom, and download it again \
         from its first byte, without --resume"
    )]
    BackupChanged(String),
    /// The stored object differs from the one that was stored.
    #[error(
        "the file of the backup {id} in {destination:?} is not what was stored: {problem}; read another copy with \
         --destination (`strongroom backup get` shows them), and find out who has changed this one"
    )]
    BackupDamaged {
        /// The backup.
        id: String,
        /// The destination.
        destination: String,
        /// The difference.
        problem: String,
    },
    /// Another process has taken over this process's operations.
    #[error(
        "this process did not reach the backup service's database for too long, so another one has taken \
         over; try again"
    )]
    Fenced,
    /// The process that made a backup died.
    #[error("the process on {0} that made the backup ended before the backup was complete; make another one")]
    ProcessDied(String),

    /// A restore failed.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Restoring a file set failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Moving tables failed.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// A re-encryption failed.
    #[error(transparent)]
    Reencrypt(#[from] ReencryptError),
    /// A schedule, or a run of one, failed.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A drill failed.
    #[error(transparent)]
    Drill(#[from] DrillError),

    /// The client left.
    #[error("the client left before the end")]
    ClientLeft,
    /// The client is connected but reads nothing.
    #[error(
        "the client read nothing for {0} s, and a snapshot is not held that long; use a stored backup instead"
    )]
    Stalled(u64),
    /// An export reached its time limit.
    #[error(
        "the export took longer than {0} s, and a snapshot is not held for ever; \
         use a stored backup, whose download can be resumed"
    )]
    TooLong(u64),
    /// The service is shutting down.
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
    /// An invalid field of a request.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }

    /// An invalid element of a list, counted from 0.
    pub(crate) fn element(list: &str, at: usize, problem: impl Into<String>) -> Self {
        Self::field(format!("{list}[{at}]"), problem)
    }

    /// The stable reason, as in `ErrorInfo` and in the audit log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.shape().1
    }

    /// Whether the operation continues elsewhere because this process ends or counts as dead.
    pub(crate) fn is_handed_on(&self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Fenced)
    }

    /// Whether the client caused the end: it left, or was too slow.
    pub(crate) fn is_abort(&self) -> bool {
        matches!(
            self,
            Self::ClientLeft
                | Self::Stalled(_)
                | Self::TooLong(_)
                | Self::DownloadTooLong(_)
                | Self::DownloadStalled(_)
                | Self::ClientSilent(_)
                | Self::ClientTooSlow { .. }
                | Self::ClientTakesSlowly(_)
                | Self::VerifyTooLong(_)
                | Self::Restore(RestoreError::PlanTooLong(_))
                | Self::Move(MoveError::TooLong(_))
                | Self::Reencrypt(ReencryptError::TooLong(_) | ReencryptError::Stalled(_))
        )
    }

    /// Whether rows or files have changed since a restore that is to be rolled back.
    pub(crate) fn is_changed_since(&self) -> bool {
        use strongroom_tables::Error as Tables;
        matches!(
            self,
            Self::Tables(Tables::ChangedSince { .. } | Tables::NothingKept { .. })
                | Self::Files(FilesError::ChangedSince { .. })
        )
    }

    /// The message without the destination and key of the copy, for callers that already name them.
    pub(crate) fn of_a_copy(&self) -> String {
        match self {
            Self::Storage(error) => error.problem.to_string(),
            _ => self.to_string(),
        }
    }

    /// Whether a stored file is missing or differs from the one that was stored.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::BackupDamaged { .. } => true,
            Self::Storage(error) => matches!(error.code(), Code::DataLoss | Code::Aborted),
            _ => false,
        }
    }
}

fn no_copy(id: &str, destination: &str, stored: &[String]) -> String {
    if stored.is_empty() {
        return format!("the backup {id} no longer has a complete copy; `strongroom backup get` shows why");
    }
    format!("the backup {id} has no complete copy in {destination:?}; it has one in: {}", stored.join(", "))
}

/// A remedy for a directory or a file that cannot be read.
fn of_reading(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "; check its path, or create the directory",
        std::io::ErrorKind::PermissionDenied => "; let this service's user read it",
        _ => "",
    }
}

/// A remedy for a backup in a state that does not allow the operation.
fn remedy(state: &str) -> &'static str {
    match state {
        "creating" => "`strongroom backup watch` waits until it is made",
        "failed" => "nothing of it is stored: `strongroom backup create` makes another one",
        "deleted" => "`strongroom backup undelete` brings it back",
        "deleting" => "its files are being deleted, and nothing brings it back",
        "unverified" => {
            "this vault does not know its signer: it can be read, verified and restored; once the vault has \
             been restored from it, `strongroom backup scan` makes it available"
        }
        _ => "`strongroom backup get` shows what has become of it",
    }
}

/// A blocking task ends early only if it panics.
impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Defect(format!("a thread died: {error}"))
    }
}

/// The archive's receiver is ours, so the error in a sink may be one of ours.
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
