//! What a caller can do about an error, whether it came from a driver or not.

/// The kinds that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The database is away, busy or changing: worth another try.
    Unavailable,
    /// A table, column, schema or file that was asked for does not exist.
    NotFound,
    /// The database user lacks a right.
    Permission,
    /// Somebody must change the database, its server or the configuration first.
    Precondition,
    /// The receiver is gone.
    Cancelled,
    /// Everything else: a wrong configuration, a defect or a damaged database.
    Internal,
}
