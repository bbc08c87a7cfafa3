//! Database errors, classified by what a caller can do about them.
//!
//! Kinds come from `DatabaseError::kind()`, which both drivers set in the same way; SQLSTATE codes and
//! constraint names differ between the engines.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("{0}")]
    Url(&'static str),
    /// No connection could be made.
    #[error("cannot open the database {url}: {source}")]
    Open {
        /// The URL without its password.
        url: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The schema could not be migrated.
    #[error("cannot bring the database's schema up to date: {0}")]
    Migrate(#[source] MigrateError),
    /// The schema's first migrations differ from those of this version.
    #[error(
        "the database was made by a version of this program that was never released, and cannot be \
         converted; use an empty database and recreate its content"
    )]
    Foreign,
    /// The bundled SQLite is too old to be used safely by several connections.
    #[error("SQLite {0} may corrupt a WAL database; 3.51.3 or later is needed")]
    SqliteVersion(String),
    /// A statement affected a different number of rows than required.
    #[error("the database is inconsistent: {affected} rows instead of {expected} in {subject}")]
    Inconsistent {
        /// The table or step.
        subject: &'static str,
        /// Required number of affected rows.
        expected: u64,
        /// Actual number of affected rows.
        affected: u64,
    },
    /// A row that grants access was changed without the vault's key.
    #[error("{table} {row} was changed outside the vault")]
    Tampered {
        /// The table.
        table: &'static str,
        /// The row.
        row: String,
    },
    /// The audit log could not be written in the same transaction as a change, so the change was not made.
    #[error("the audit log cannot be written: {0}")]
    Audit(#[source] Box<Error>),
    /// Any other error of the driver.
    #[error("database error: {0}")]
    Database(#[from] sqlx::Error),
}

/// The kinds that callers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A unique constraint refused the row.
    Unique,
    /// A foreign key refused the row.
    ForeignKey,
    /// The database cannot be reached, is busy, or has no free connections: worth another attempt.
    Unavailable,
    /// Everything else: a defect or a damaged database.
    Internal,
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Open { .. } => Kind::Unavailable,
            Self::Database(error) => kind_of(error),
            Self::Audit(source) => source.kind(),
            Self::Url(_)
            | Self::Migrate(_)
            | Self::Foreign
            | Self::SqliteVersion(_)
            | Self::Tampered { .. }
            | Self::Inconsistent { .. } => Kind::Internal,
        }
    }
}

/// Released migrations never change, so a changed migration comes from an unreleased version.
impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMismatch(_) => Self::Foreign,
            error => Self::Migrate(error),
        }
    }
}

fn kind_of(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Database(database) => match database.kind() {
            ErrorKind::UniqueViolation => Kind::Unique,
            ErrorKind::ForeignKeyViolation => Kind::ForeignKey,
            _ if is_passing(database.code().as_deref()) => Kind::Unavailable,
            _ => Kind::Internal,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

/// SQLite 5 (BUSY), 6 (LOCKED), 10 (IOERR), 13 (FULL) and their extended forms; PostgreSQL classes 08
/// (connection), 40 (rolled back: a deadlock), 53 (resources), 57 (operator intervention) and 25006 (read-only server).
fn is_passing(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    if code.len() == 5 {
        return ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || code == "25006";
    }
    code.parse::<u32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13))
}

/// Refuses a write that affected a different number of rows than `expected`.
///
/// # Errors
/// [`Error::Inconsistent`] naming `subject`.
pub fn expect_rows(subject: &'static str, affected: u64, expected: u64) -> Result<()> {
    if affected == expected {
        return Ok(());
    }
    Err(Error::Inconsistent { subject, expected, affected })
}
