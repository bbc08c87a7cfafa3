//! Errors of moving tables, in addition to those of databases and uploads.

use strongroom_archive::document::DocumentError;
use strongroom_import::Error as ImportError;
use tonic::Code;

use crate::error::Error;

/// The reason why tables are not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The document does not have the expected format.
    #[error(transparent)]
    Document(DocumentError),
    /// It exceeds this server's memory limit.
    #[error("{problem}, this server's limit; raise [backup] {option}")]
    Limit {
        /// The part that is too long.
        problem: DocumentError,
        /// The option with the limit.
        option: &'static str,
    },
    /// It is an age file.
    #[error("the document is not JSON; it looks like an age file. Decrypt it first")]
    Sealed,
    /// Gatwy's connection export is not valid.
    #[error(transparent)]
    Gatwy(ImportError),
    /// It is empty.
    #[error("the connection export of Gatwy has neither groups nor connections")]
    NothingThere,
    /// There is no table for its entries.
    #[error(
        "no source has a table {wanted} for the {entries} of Gatwy's connection export: let the application create it first"
    )]
    NoTable {
        /// Possible names of the table.
        wanted: String,
        /// The kind of entries.
        entries: &'static str,
    },
    /// There is no column for a value.
    #[error(
        "table {table} has no column {snake} or {camel}, and entries of Gatwy's connection export have values for it: add the \
         column, or remove {camel} from the file"
    )]
    NoColumn {
        /// The table's archive name.
        table: String,
        /// The column in both spellings.
        snake: &'static str,
        /// As in the file.
        camel: &'static str,
    },
    /// No source has the table.
    #[error(
        "no source has the table {0} of the document: let the application create it first, or take it out of the document"
    )]
    UnknownTable(String),
    /// A table belongs to a source that is not a database.
    #[error("table {table:?} is of source {source_name} ({kind}), and rows are imported into databases only")]
    NoDatabase {
        /// The table's archive name.
        table: String,
        /// The name of that source.
        source_name: String,
        /// The kind of that source.
        kind: &'static str,
    },
    /// The tables belong to several databases.
    #[error(
        "the document has tables of several databases: {0}; import them one after the other, each from a document of its own"
    )]
    Several(String),
    /// All permits for imports are taken.
    #[error("{0} imports of tables are running, which is as many as this server allows; try again later")]
    Busy(usize),
    /// It reached its time limit.
    #[error("the import took longer than {0} s; [backup] restore_limit_seconds allows more")]
    TooLong(u64),
    /// The process that ran it died.
    #[error(
        "the process on {0} that imported the tables ended before the import was committed, and nothing was changed; \
         import the tables again"
    )]
    ProcessDied(String),
}

impl MoveError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::Document(_) | Self::Sealed | Self::Gatwy(_) | Self::NothingThere => {
                (Code::InvalidArgument, "DOCUMENT_INVALID")
            }
            Self::Limit { .. } => (Code::FailedPrecondition, "DOCUMENT_LIMIT"),
            Self::NoTable { .. } | Self::UnknownTable(_) => (Code::FailedPrecondition, "TABLE_MISSING"),
            Self::NoColumn { .. } => (Code::FailedPrecondition, "COLUMN_MISSING"),
            Self::NoDatabase { .. } => (Code::FailedPrecondition, "NO_DATABASE"),
            Self::Several(_) => (Code::FailedPrecondition, "SEVERAL_DATABASES"),
            Self::Busy(_) => (Code::ResourceExhausted, "IMPORTS_BUSY"),
            Self::TooLong(_) => (Code::DeadlineExceeded, "IMPORT_TOO_LONG"),
            Self::ProcessDied(_) => (Code::Aborted, "PROCESS_DIED"),
        }
    }
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Self {
        let limit = |problem, option| MoveError::Limit { problem, option }.into();
        match error {
            DocumentError::Read(error) => Self::Staging(error),
            // The rows go to our own code, so the error may be one of ours.
            DocumentError::Sink(error) => strongroom_archive::Error::Sink(error).into(),
            DocumentError::RowLimit { .. } => limit(error, "verify_row_limit_bytes"),
            DocumentError::HeadLimit(_) => limit(error, "verify_manifest_limit_bytes"),
            other => MoveError::Document(other).into(),
        }
    }
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Read(error) => Self::Staging(error),
            other => MoveError::Gatwy(other).into(),
        }
    }
}
