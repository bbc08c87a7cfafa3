//! Errors of destinations: which destination and object, the reason, and the remedy.

use std::fmt;

use tonic::Code;

/// A failed operation of a destination. Its text contains no credentials, and nothing from a server except its error
/// code.
#[derive(Debug)]
pub struct StorageError {
    destination: String,
    key: Option<String>,
    pub(crate) problem: Problem,
}

impl StorageError {
    pub(crate) fn new(destination: &str, key: Option<&str>, problem: Problem) -> Self {
        Self { destination: destination.to_owned(), key: key.map(str::to_owned), problem }
    }

    /// The stable reason: in `ErrorInfo`, in the catalogue and in the audit log.
    pub(crate) fn reason(&self) -> &'static str {
        self.problem.reason()
    }
}

impl StorageError {
    /// The status code, which tells a caller how to react.
    pub(crate) fn code(&self) -> Code {
        match self.problem {
            Problem::Unavailable(_) => Code::Unavailable,
            Problem::Full(_) => Code::ResourceExhausted,
            Problem::ObjectMissing | Problem::Short { .. } | Problem::TooLarge { .. } => Code::DataLoss,
            Problem::ObjectChanged | Problem::UploadMissing => Code::Aborted,
            Problem::Denied(_) | Problem::Missing(_) | Problem::ReadOnly | Problem::DeleteRefused(_) => {
                Code::FailedPrecondition
            }
            Problem::BadKey | Problem::Failed(_) => Code::Internal,
        }
    }
}

impl std::error::Error for StorageError {}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "destination {}: ", self.destination)?;
        if let Some(key) = &self.key {
            write!(f, "object {key:?}: ")?;
        }
        self.problem.fmt(f)
    }
}

/// The reason why an operation of a destination failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It did not answer, or is unavailable now. Retries have failed too.
    #[error("it cannot be reached: {0}; try again when it can")]
    Unavailable(String),
    /// It refuses access.
    #[error(
        "it refuses access ({0}); check the credentials and their permissions, or the folder's owner and mode"
    )]
    Denied(String),
    /// The bucket or folder does not exist.
    #[error("the {0} does not exist; create it, or mount it, or correct the url")]
    Missing(&'static str),
    /// It is full.
    #[error("it is full ({0}); free space, or raise its quota")]
    Full(String),
    /// It is read-only.
    #[error("it is read-only; mount it writable")]
    ReadOnly,
    /// The key has no object.
    #[error("it no longer exists; it was deleted outside this service")]
    ObjectMissing,
    /// The object has changed.
    #[error("it was replaced or changed while it was read; start again")]
    ObjectChanged,
    /// The upload is unknown: already aborted or never begun.
    #[error("its upload no longer exists; make a new backup")]
    UploadMissing,
    /// The object is protected.
    #[error("its deletion is refused ({0}); wait until its retention ends, or permit deletion")]
    DeleteRefused(String),
    /// The object has another number of bytes than expected.
    #[error(
        "{found} bytes were found instead of {expected}; try again, and check the storage if this recurs"
    )]
    Short {
        /// Expected number of bytes.
        expected: u64,
        /// Actual number of bytes.
        found: u64,
    },
    /// A small object exceeds its limit.
    #[error(
        "it has more than {limit} bytes, which no object of its kind has; it was not written by this service"
    )]
    TooLarge {
        /// Maximum number of bytes.
        limit: usize,
    },
    /// Not a valid object name.
    #[error(
        "this is not the name of an object; names have 1 to 200 characters A-Z, a-z, 0-9, ., _ and -, and no . at the start"
    )]
    BadKey,
    /// Any other failure.
    #[error("it failed: {0}; see the storage's own log")]
    Failed(String),
}

impl Problem {
    /// The stable reason.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "DESTINATION_UNAVAILABLE",
            Self::Denied(_) => "DESTINATION_DENIED",
            Self::Missing(_) => "DESTINATION_MISSING",
            Self::Full(_) => "DESTINATION_FULL",
            Self::ReadOnly => "DESTINATION_READ_ONLY",
            Self::ObjectMissing => "OBJECT_MISSING",
            Self::ObjectChanged => "OBJECT_CHANGED",
            Self::UploadMissing => "UPLOAD_MISSING",
            Self::DeleteRefused(_) => "DELETE_REFUSED",
            Self::Short { .. } => "OBJECT_SHORT",
            Self::TooLarge { .. } => "OBJECT_TOO_LARGE",
            Self::BadKey => "OBJECT_NAME",
            Self::Failed(_) => "DESTINATION_FAILED",
        }
    }
}
