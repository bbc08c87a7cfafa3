//! Everything that can be wrong with a foreign file, each with its own sentence.

use std::io;
use std::path::PathBuf;

use crate::laravel::fault::PayloadFault;

/// Why a file could not be taken over. No message contains anything that was encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("the file could not be read: {0}")]
    Read(#[source] io::Error),
    /// The disk is full, a folder may not be written, …
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder to unpack into holds something.
    #[error("{out} is not empty, and nothing is overwritten: there is {found} in it; name a folder that is new or \
             empty", out = .out.display(), found = .found.display())]
    NotEmpty {
        /// The folder.
        out: PathBuf,
        /// Something in it. A run that was killed leaves a folder whose name begins with `.partial-`.
        found: PathBuf,
    },

    /// The magic is missing.
    #[error("this is not a Gatwy backup: a .geb file begins with ALTBAK")]
    NotGeb,
    /// A later layout, of the envelope or of the manifest inside.
    #[error("this .geb has version {0} of the {1}, and this release reads version 1: use a newer release")]
    FutureGeb(u64, &'static str),
    /// Bytes are missing at the end.
    #[error(
        "this .geb is shorter than its beginning says: at least {0} bytes are missing at its end; copy it again"
    )]
    Truncated(u64),
    /// Bytes were added at the end.
    #[error("this .geb is longer than its beginning says: {0} bytes follow its end; copy it again")]
    Trailing(u64),
    /// The beginning does not make sense under this passphrase.
    #[error(
        "the passphrase does not open this .geb; if it is surely the right one, the file's first bytes are damaged"
    )]
    WrongPassphrase,
    /// The beginning makes sense, but the code over all bytes is another.
    #[error(
        "the passphrase is right, but the .geb is damaged: its authentication code does not match its bytes"
    )]
    Damaged,
    /// Authentic, and still not what Gatwy writes.
    #[error("the manifest of this .geb {0}")]
    GebManifest(String),
    /// The database or a recording is said to be longer than what is there.
    #[error("{name} would be too large: it is given as {bytes} bytes, and the .geb holds {left} for it")]
    TooLarge {
        /// The recording, or `the database`.
        name: String,
        /// What the manifest says.
        bytes: u64,
        /// What is left of the payload.
        left: u64,
    },
    /// More recordings than are unpacked.
    #[error("this .geb lists {found} recordings, and at most {limit} are unpacked")]
    TooManyRecordings {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A recording whose name is no plain file name.
    #[error("the recording name {name:?} {problem}")]
    RecordingName {
        /// The name.
        name: String,
        /// What is wrong with it, as a verb phrase.
        problem: &'static str,
    },

    /// A later connection export.
    #[error(
        "this connection export of Gatwy has version {0}, and this release reads version 1: use a newer release"
    )]
    FutureConnections(u64),
    /// Something in a connection export cannot be taken.
    #[error("the connection export of Gatwy {0}")]
    Connections(String),

    /// The file with the key holds no key.
    #[error("this is not a Laravel APP_KEY: {0}")]
    AppKey(&'static str),
    /// The ZIP itself.
    #[error("{0}")]
    Zip(#[source] strongroom_archive::Error),
    /// An archive of our own.
    #[error("this is an archive of Strongroom itself, not of PromptGate: `strongroom archive` reads it")]
    OwnArchive,
    /// A later export.
    #[error("this export has format version {0}, and this release reads version 1: use a newer release")]
    FutureExport(u64),
    /// A document in the export is not what it should be.
    #[error("{entry} {problem}")]
    Document {
        /// Its name.
        entry: String,
        /// What is wrong with it, as a verb phrase.
        problem: String,
    },
    /// Nothing opens.
    #[error(
        "none of the {0} encrypted credentials opens with this APP_KEY: it is not the one they were made under"
    )]
    WrongAppKey(usize),
    /// One value does not open.
    #[error("{0}")]
    Payload(#[from] PayloadFault),
}

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// From reading an entry of a ZIP, whose own errors travel inside `io::Error`.
    pub(crate) fn from_entry(error: io::Error) -> Self {
        Self::Zip(strongroom_archive::Error::from_read(error))
    }
}
