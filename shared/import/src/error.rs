//! Errors of foreign files, each with its own message.

use std::io;
use std::path::PathBuf;

use crate::laravel::fault::PayloadFault;

/// Why a file could not be imported. No message contains anything that was encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("the file could not be read: {0}")]
    Read(#[source] io::Error),
    /// Writing failed: the disk is full, a folder is not writable, …
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write {
        /// The path written to.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder to unpack into is not empty.
    #[error("{out} is not empty, and nothing is overwritten: it contains {found}; name a new or empty \
             folder", out = .out.display(), found = .found.display())]
    NotEmpty {
        /// The folder.
        out: PathBuf,
        /// An entry of the folder. A run that was killed leaves a folder whose name begins with `.partial-`.
        found: PathBuf,
    },

    /// The magic is missing.
    #[error("this is not a Gatwy backup: a .geb file begins with ALTBAK")]
    NotGeb,
    /// A later version of the envelope or of the manifest.
    #[error("this .geb has version {0} of the {1}, and this release reads version 1: use a newer release")]
    FutureGeb(u64, &'static str),
    /// Bytes are missing at the end.
    #[error("this .geb is too short: at least {0} bytes are missing at its end; copy it again")]
    Truncated(u64),
    /// Bytes were added at the end.
    #[error("this .geb is too long: {0} bytes follow its end; copy it again")]
    Trailing(u64),
    /// The beginning is invalid with this passphrase.
    #[error(
        "the passphrase does not open this .geb; if you are sure that it is right, the file's first bytes are damaged"
    )]
    WrongPassphrase,
    /// The beginning is valid, but the MAC over all bytes does not match.
    #[error(
        "the passphrase is right, but the .geb is damaged: its authentication code does not match its bytes"
    )]
    Damaged,
    /// The file is authentic, but its manifest is not as Gatwy writes it.
    #[error("the manifest of this .geb {0}")]
    GebManifest(String),
    /// The database or a recording is declared longer than the remaining bytes.
    #[error("{name} is too large: its stated size is {bytes} bytes, and the .geb has {left} left for it")]
    TooLarge {
        /// The recording, or `the database`.
        name: String,
        /// The size in the manifest.
        bytes: u64,
        /// Remaining bytes of the payload.
        left: u64,
    },
    /// More recordings than the limit.
    #[error("this .geb lists {found} recordings, and at most {limit} are unpacked")]
    TooManyRecordings {
        /// Number of recordings.
        found: usize,
        /// Maximum number of recordings.
        limit: usize,
    },
    /// A recording whose name is not a plain file name.
    #[error("the recording name {name:?} {problem}")]
    RecordingName {
        /// The name.
        name: String,
        /// The problem, as a verb phrase.
        problem: &'static str,
    },

    /// A later version of the connection export.
    #[error(
        "this Gatwy connection export has version {0}, and this release reads version 1: use a newer release"
    )]
    FutureConnections(u64),
    /// A connection export contains an entry that cannot be imported.
    #[error("the Gatwy connection export {0}")]
    Connections(String),

    /// The key file does not contain a key.
    #[error("this is not a Laravel APP_KEY: {0}")]
    AppKey(&'static str),
    /// An error of the ZIP itself.
    #[error("{0}")]
    Zip(#[source] strongroom_archive::Error),
    /// An archive of Strongroom.
    #[error("this is an archive of Strongroom itself, not of PromptGate: `strongroom archive` reads it")]
    OwnArchive,
    /// A later version of the export.
    #[error("this export has format version {0}, and this release reads version 1: use a newer release")]
    FutureExport(u64),
    /// A document in the export is invalid.
    #[error("{entry} {problem}")]
    Document {
        /// Its name.
        entry: String,
        /// The problem, as a verb phrase.
        problem: String,
    },
    /// No value opens.
    #[error(
        "none of the {0} encrypted credentials opens with this APP_KEY: they were encrypted under another one"
    )]
    WrongAppKey(usize),
    /// One value does not open.
    #[error("{0}")]
    Payload(#[from] PayloadFault),
}

/// This crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The error of reading a ZIP entry, which wraps this crate's errors in `io::Error`.
    pub(crate) fn from_entry(error: io::Error) -> Self {
        Self::Zip(strongroom_archive::Error::from_read(error))
    }
}
