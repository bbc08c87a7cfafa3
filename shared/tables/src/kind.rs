//! What the caller can do about an error, whether it came from a driver or not.

/// The kinds of error that callers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The database is unreachable, busy or changing: worth another try.
    Unavailable,
    /// A requested table, column, schema or file does not exist.
    NotFound,
    /// The database user lacks a right.
    Permission,
    /// The database, its server or the configuration must be changed first.
    Precondition,
    /// The receiver has gone away.
    Cancelled,
    /// Everything else: a wrong configuration, a bug or a damaged database.
    Internal,
}
