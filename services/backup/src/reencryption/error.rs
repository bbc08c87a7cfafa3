//! Errors of a re-encryption, in addition to those of databases and the vault.

use tonic::Code;

/// The reason why values are not re-encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReencryptError {
    /// No source has this name.
    #[error("there is no source {0:?}; `strongroom source list` shows all of them")]
    UnknownSource(String),
    /// The source is not a database.
    #[error(
        "source {source_name} is not a database ({kind}), and only declared columns of databases are \
         re-encrypted here; for the vault's own values use `strongroom key reencrypt`"
    )]
    NoDatabase {
        /// Its name.
        source_name: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The configuration names no columns.
    #[error(
        "source {0} declares no encrypted columns: name them under [[sources.encrypted_columns]] in this server's configuration"
    )]
    NoColumns(String),
    /// The source can only be read.
    #[error(
        "source {0} cannot be re-encrypted: to write values, it needs restore_url_file (the URL of the tables' owner) in its \
         configuration"
    )]
    NoRestoreUrl(String),
    /// A declared key does not exist.
    #[error(
        "column {column} of source {source_name} is declared with the key {key:?}, but the vault has no caller key of that name \
         with a primary version; `strongroom key list` shows the keys"
    )]
    NoKey {
        /// The key.
        key: String,
        /// Table and column.
        column: String,
        /// The name of the source.
        source_name: String,
    },
    /// It is already running for this source.
    #[error("source {0} is being re-encrypted by this process already; wait until it ends")]
    Running(String),
    /// All permits are taken.
    #[error("{0} sources are being re-encrypted, which is as many as this server allows; try again later")]
    Busy(usize),
    /// It reached its time limit.
    #[error("the re-encryption took longer than {0} s; run it again to continue with the rest")]
    TooLong(u64),
    /// The client is connected but reads nothing.
    #[error("the client read nothing for {0} s; run the re-encryption again to continue with the rest")]
    Stalled(u64),
}

impl ReencryptError {
    /// The code and the stable reason.
    pub(crate) fn shape(&self) -> (Code, &'static str) {
        match self {
            Self::UnknownSource(_) => (Code::NotFound, "SOURCE_NOT_FOUND"),
            Self::NoDatabase { .. } => (Code::FailedPrecondition, "NO_DATABASE"),
            Self::NoColumns(_) => (Code::FailedPrecondition, "NO_ENCRYPTED_COLUMNS"),
            Self::NoRestoreUrl(_) => (Code::FailedPrecondition, "NO_RESTORE_URL"),
            Self::NoKey { .. } => (Code::FailedPrecondition, "KEY_NOT_FOUND"),
            Self::Running(_) => (Code::Aborted, "REENCRYPTION_BUSY"),
            Self::Busy(_) => (Code::ResourceExhausted, "REENCRYPTIONS_BUSY"),
            Self::TooLong(_) => (Code::DeadlineExceeded, "REENCRYPTION_TOO_LONG"),
            Self::Stalled(_) => (Code::DeadlineExceeded, "CLIENT_STALLED"),
        }
    }
}
