//! Errors, grouped by what the caller can do about them. Each message is one sentence that an operator can act on.

use crate::fault::Fault;
use crate::kind::Kind;
use crate::load::Refusal;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a database could not be read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be made.
    #[error("cannot reach the database {url} of source {name}: {fault}")]
    Unreachable {
        /// The source's name.
        name: String,
        /// The URL without its password.
        url: String,
        /// The driver's error.
        fault: Fault,
    },
    /// The server did not answer in time.
    #[error("cannot reach the database {url} of source {name}: no answer within {seconds} s")]
    NoAnswer {
        /// The source's name.
        name: String,
        /// The URL without its password.
        url: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// The configured SQLite file does not exist.
    #[error(
        "source {name}: there is no file at {url}; check the path of the database, or let its application create it"
    )]
    NotThere {
        /// The source's name.
        name: String,
        /// The URL that names the path.
        url: String,
    },
    /// A SQLite file that was never written to. SQLite itself treats it as an empty database.
    #[error(
        "source {name}: the file at {url} is empty: no database was ever written to it; check the path, or start the \
         application first"
    )]
    EmptyFile {
        /// The source's name.
        name: String,
        /// The URL that names the path.
        url: String,
    },
    /// A named object does not exist.
    #[error("source {name} has no {what}")]
    Missing {
        /// The source's name.
        name: String,
        /// What is missing, for example `table "orders"`.
        what: String,
    },
    /// Two tables would have the same name in the archive.
    #[error(
        "source {name} has two tables that are both called {table:?} in an archive; exclude or rename one"
    )]
    Ambiguous {
        /// The source's name.
        name: String,
        /// The duplicate name.
        table: String,
    },
    /// A table was dropped or renamed just before it was read.
    #[error("table {table} of source {name} was dropped or renamed while the snapshot was opened; try again")]
    Vanished {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// The database user may not read a table.
    #[error("source {name}: the database user has no right to read table {table}; {advice}")]
    Denied {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// What to grant.
        advice: String,
    },
    /// Another session holds a lock that blocks readers.
    #[error("table {table} of source {name} is locked by another session (a migration?); try again later")]
    LockTimeout {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// A time limit was given for a column that does not hold times.
    #[error(
        "column {column} of table {table} has type {type_name}, which is not a date, timestamp or text; \
         choose another time_column"
    )]
    TimeColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        type_name: String,
    },
    /// A row is longer than an archive allows.
    #[error(
        "table {table} of source {name}: {row} is longer than {limit} bytes, the limit for one row of an \
         archive (a byte of binary data takes two in PostgreSQL); exclude the table, or shorten the row"
    )]
    RowTooLarge {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// The row, identified by position and never by its values: `row 7`, `the row at ctid (0,7)`, `the row with rowid 7`.
        row: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The receiver of the blocks has gone away.
    #[error("reading was cancelled: nobody receives the rows any more")]
    Cancelled,
    /// The server sent something that is not binary COPY data.
    #[error("table {table} of source {name}: the server sent {problem}")]
    Protocol {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// The problem, for example `a value of column "at" in an unknown form`.
        problem: String,
    },
    /// A temporary copy could not be made.
    #[error("source {name}: cannot make a temporary folder for a copy of the database: {source}")]
    TempCopy {
        /// The source's name.
        name: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// One of our own files beside the database could not be used.
    #[error("source {name}: {what} beside the database: {source}")]
    File {
        /// The operation that failed.
        what: String,
        /// The source's name.
        name: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The database is not a new scratch database of ours.
    #[error(
        "{url} is not a scratch database: {problem}; nothing was restored into it. Name a server in [drill] \
         that holds nothing else, without a pooler in front of it"
    )]
    NotScratch {
        /// The URL without its password.
        url: String,
        /// The reason.
        problem: String,
    },
    /// The server for scratch databases failed an operation.
    #[error("the scratch server {url} ([drill] scratch_url), {what}: {fault}{advice}")]
    ScratchServer {
        /// The URL without its password.
        url: String,
        /// The operation that failed.
        what: &'static str,
        /// The driver's error.
        fault: Fault,
        /// Advice starting with a semicolon, or empty.
        advice: &'static str,
    },
    /// The directory for scratch databases could not be used.
    #[error(
        "the folder {} ([drill] scratch_dir), {what}: {source}; it must exist, and the service's user must be able to write to it",
        path.display()
    )]
    ScratchFolder {
        /// The directory.
        path: std::path::PathBuf,
        /// The operation that failed.
        what: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("source {name}, {what}: {fault}")]
    Database {
        /// The operation that failed, for example `reading table users`.
        what: String,
        /// The source's name.
        name: String,
        /// The driver's error.
        fault: Fault,
    },
    /// The restore target has changed since the restore was planned.
    #[error(
        "source {name} has changed since the restore was planned (a column, a constraint, a trigger or a reference of its \
         tables): plan it again"
    )]
    Stale {
        /// The source's name.
        name: String,
    },
    /// The restore is refused.
    #[error("source {name} is not restored: {}", said(refusals))]
    Refused {
        /// The source's name.
        name: String,
        /// The reasons; never empty.
        refusals: Vec<Refusal>,
    },
    /// A column cannot take a value from the archive.
    #[error("row {row} of table {table}: column {column} cannot take its value: {problem}")]
    Value {
        /// The table's archive name.
        table: String,
        /// The row's number in the archive, from 1.
        row: u64,
        /// The column.
        column: String,
        /// Why the value does not fit, without the value itself.
        problem: String,
    },
    /// A table rejects rows from the archive.
    #[error("table {table} of source {name} does not accept the archive's rows: {problem}")]
    Constraint {
        /// The source's name.
        name: String,
        /// The table's archive name.
        table: String,
        /// The database's report without values: the constraint and its kind.
        problem: String,
    },
    /// The locks for a swap could not be acquired in time.
    #[error(
        "the tables of source {name} were in use by others for {seconds} s, so nothing was changed; \
         {holders}try again later"
    )]
    Locked {
        /// The source's name.
        name: String,
        /// Seconds spent trying.
        seconds: u64,
        /// The lock holders, as far as this role can see them, with a trailing space; or empty.
        holders: String,
    },
    /// Writers would have to wait longer than the agreed limit.
    #[error(
        "writers of source {name} would have to wait longer than {limit_ms} ms, so nothing was changed: \
         allow more with --max-pause, or choose a quieter time"
    )]
    PauseTooLong {
        /// The source's name.
        name: String,
        /// The agreed limit.
        limit_ms: u64,
    },
    /// The restore cannot be rolled back because its rows are gone.
    #[error("source {name} no longer has the rows of the restore {restore}: restore its safety backup")]
    NotApplied {
        /// The source's name.
        name: String,
        /// The restore's id.
        restore: String,
    },
    /// A newer restore has changed the same tables.
    #[error(
        "the restore {newer} of source {name} is newer and has changed the same tables: roll that one back first"
    )]
    Superseded {
        /// The source's name.
        name: String,
        /// The newer restore's id.
        newer: String,
    },
    /// Rows have changed since a restore.
    #[error(
        "{rows} rows of table {table} of source {name} have changed since the restore: roll back with --discard-changes to lose \
         all changes since then"
    )]
    ChangedSince {
        /// The source's name.
        name: String,
        /// The first table.
        table: String,
        /// Number of changed rows in that table.
        rows: u64,
    },
    /// Rows loaded into an empty table have no copy to compare them with.
    #[error(
        "table {table} of source {name} was empty before the restore, and no copy of its rows was kept to tell whether they \
         have changed since: roll back with --discard-changes to empty it"
    )]
    NothingKept {
        /// The source's name.
        name: String,
        /// The first table.
        table: String,
    },
    /// A table's rows cannot be identified again.
    #[error(
        "table {table} of source {name} has no primary key to find its rows by; add one, or take its column \
         out of encrypted_columns"
    )]
    NoPrimaryKey {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// Single rows cannot be identified again (SQLite).
    #[error(
        "table {table} of source {name} has rows with NULL in the primary key, which cannot be found by it; give them a key"
    )]
    NullInKey {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// A column cannot be written, or its table cannot be scanned.
    #[error("column {column:?} of table {table} of source {name} cannot be re-encrypted: {problem}")]
    NotWritable {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The reason.
        problem: String,
    },
    /// The database URL cannot be used.
    #[error(transparent)]
    Store(#[from] strongroom_store::Error),
}

impl Error {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { fault, .. }
            | Self::Database { fault, .. }
            | Self::ScratchServer { fault, .. } => fault.kind(),
            Self::NoAnswer { .. }
            | Self::Vanished { .. }
            | Self::LockTimeout { .. }
            | Self::Locked { .. } => Kind::Unavailable,
            Self::NotThere { .. } | Self::Missing { .. } => Kind::NotFound,
            Self::Denied { .. } => Kind::Permission,
            Self::Cancelled => Kind::Cancelled,
            Self::Store(source) => match source.kind() {
                strongroom_store::Kind::Unavailable => Kind::Unavailable,
                _ => Kind::Internal,
            },
            Self::EmptyFile { .. }
            | Self::Ambiguous { .. }
            | Self::TimeColumn { .. }
            | Self::RowTooLarge { .. }
            | Self::NotScratch { .. }
            | Self::ScratchFolder { .. }
            | Self::Stale { .. }
            | Self::Refused { .. }
            | Self::Value { .. }
            | Self::Constraint { .. }
            | Self::PauseTooLong { .. }
            | Self::NotApplied { .. }
            | Self::Superseded { .. }
            | Self::ChangedSince { .. }
            | Self::NothingKept { .. }
            | Self::NoPrimaryKey { .. }
            | Self::NullInKey { .. }
            | Self::NotWritable { .. } => Kind::Precondition,
            Self::File { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => Kind::Permission,
                std::io::ErrorKind::StorageFull
                | std::io::ErrorKind::QuotaExceeded
                | std::io::ErrorKind::ReadOnlyFilesystem => Kind::Precondition,
                _ => Kind::Internal,
            },
            Self::Protocol { .. } | Self::TempCopy { .. } => Kind::Internal,
        }
    }

    /// Wraps a driver error together with the operation that failed.
    pub(crate) fn database(name: &str, what: impl Into<String>, error: &sqlx::Error) -> Self {
        Self::Database { what: what.into(), name: name.to_owned(), fault: Fault::of(error) }
    }

    pub(crate) fn missing(name: &str, what: impl Into<String>) -> Self {
        Self::Missing { name: name.to_owned(), what: what.into() }
    }
}

/// Joins all refusals with semicolons.
fn said(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
