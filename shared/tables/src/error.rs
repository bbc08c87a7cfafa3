//! Reading errors by what a caller can do about them, each one sentence that an operator can act on.

use crate::fault::Fault;
use crate::kind::Kind;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be made.
    #[error("cannot reach the database {url} of source {name}: {fault}")]
    Unreachable {
        /// The source's name.
        name: String,
        /// The URL without its password.
        url: String,
        /// What the driver reports.
        fault: Fault,
    },
    /// The server did not answer in time.
    #[error("cannot reach the database {url} of source {name}: no answer within {seconds} s")]
    NoAnswer {
        /// The source's name.
        name: String,
        /// The URL without its password.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A SQLite file is not where the configuration says.
    #[error("source {name}: there is no file at {url}; check the path of the database")]
    NotThere {
        /// The source's name.
        name: String,
        /// The URL that names the path.
        url: String,
    },
    /// A SQLite file to which nothing was ever written. SQLite itself takes it for an empty database.
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
    /// Something asked for by name does not exist.
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
        /// The name in question.
        table: String,
    },
    /// A table was dropped or renamed while it was about to be read.
    #[error("table {table} of source {name} was dropped or renamed while the snapshot was opened; try again")]
    Vanished {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// The database user may not read a table.
    #[error("source {name}: the database user may not read table {table}; {advice}")]
    Denied {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// What to grant.
        advice: String,
    },
    /// Another session holds a lock that keeps readers out.
    #[error("table {table} of source {name} is locked by another session (a migration?); try again later")]
    LockTimeout {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
    },
    /// A time limit was asked for on a column that holds no times.
    #[error(
        "column {column} of table {table} has type {type_name}, which is no date, timestamp or text; \
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
    /// A row is longer than an archive may hold.
    #[error(
        "table {table} of source {name}: {row} is longer than {limit} bytes, the most that an archive holds of one \
         row (a byte of binary data takes two in PostgreSQL); exclude the table, or shorten the row"
    )]
    RowTooLarge {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// Which row, by its place and never by its values: `row 7`, `the row at ctid (0,7)`, `the row with rowid 7`.
        row: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Whoever received the blocks is gone.
    #[error("reading was cancelled: nobody receives the rows any more")]
    Cancelled,
    /// The server sent something that is not binary COPY data.
    #[error("table {table} of source {name}: the server sent {problem}")]
    Protocol {
        /// The source's name.
        name: String,
        /// The table.
        table: String,
        /// What it sent, for example `a value of column "at" in an unknown form`.
        problem: String,
    },
    /// A temporary copy could not be made.
    #[error("source {name}: cannot make a temporary folder for a copy of the database: {source}")]
    TempCopy {
        /// The source's name.
        name: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("{what} of source {name}: {fault}")]
    Database {
        /// What was being done, for example `reading table users`.
        what: String,
        /// The source's name.
        name: String,
        /// What the driver reports.
        fault: Fault,
    },
    /// The database URL cannot be used.
    #[error(transparent)]
    Store(#[from] strongroom_store::Error),
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { fault, .. } | Self::Database { fault, .. } => fault.kind(),
            Self::NoAnswer { .. } | Self::Vanished { .. } | Self::LockTimeout { .. } => Kind::Unavailable,
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
            | Self::RowTooLarge { .. } => Kind::Precondition,
            Self::Protocol { .. } | Self::TempCopy { .. } => Kind::Internal,
        }
    }

    /// Wraps a driver's error with what was being done.
    pub(crate) fn database(name: &str, what: impl Into<String>, error: &sqlx::Error) -> Self {
        Self::Database { what: what.into(), name: name.to_owned(), fault: Fault::of(error) }
    }

    pub(crate) fn missing(name: &str, what: impl Into<String>) -> Self {
        Self::Missing { name: name.to_owned(), what: what.into() }
    }
}
