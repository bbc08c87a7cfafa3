//! What can be wrong with a sealed file, each with its own sentence.

use std::io;

/// Why a file was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The receiver of the sealed file failed. The kind is the receiver's.
    #[error("the sealed file could not be written any further: {0}")]
    Sink(#[source] io::Error),
    /// The reader of the sealed file failed.
    #[error("the sealed file could not be read: {0}")]
    Read(#[source] io::Error),
    /// The file, or what should open it, is not right.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error of this crate that the `Read` of a sealed file wrapped, or [`Error::Read`].
    #[must_use]
    pub fn from_read(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// What is wrong with a sealed file, a recipient or an identity: [`Error`] without the errors of input and
/// output, so that it can be compared and repeated. No variant carries a key, a passphrase or the text that
/// failed to parse. Chunks are counted from 0, as their nonces are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Not an age file at all.
    #[error("this is not a sealed file: it does not begin like an age file")]
    NotSealed,
    /// An age file as text.
    #[error("this age file is armored, that is text; make it again without --armor")]
    Armored,
    /// An age file of another version.
    #[error("this age file has the version {found:?}, and only v1 is known: use a newer release")]
    UnknownVersion {
        /// What stands in place of `v1`, 20 characters at most.
        found: String,
    },
    /// No complete header.
    #[error("the sealed file ends inside its header: it was cut short")]
    HeaderCut,
    /// More header than [`crate::MAX_HEADER_BYTES`].
    #[error("the header exceeds the limit of {limit} bytes: there are too many recipients")]
    HeaderTooLong {
        /// The limit.
        limit: usize,
    },
    /// A header that age's grammar does not allow.
    #[error("line {line} of the sealed file's header {problem}")]
    Header {
        /// Counted from 1.
        line: usize,
        /// What is wrong, as a verb phrase.
        problem: &'static str,
    },
    /// A recipient stanza whose inside is not what its type demands.
    #[error("the header has a stanza for {recipient} that {problem}")]
    Stanza {
        /// Whom it is for.
        recipient: &'static str,
        /// What is wrong, as a verb phrase.
        problem: &'static str,
    },
    /// A stanza given to be written that no header can hold.
    #[error(
        "a stanza of a type of its own needs words of visible ASCII, and another type than those that age defines"
    )]
    StanzaForm,
    /// A passphrase beside other recipients, which age forbids.
    #[error("the header names a passphrase beside other recipients; a passphrase must be alone")]
    PassphraseNotAlone,
    /// The header is authentic no longer, or the file key is another file's.
    #[error("the header was changed after sealing, or the file key is another file's")]
    HeaderChanged,

    /// None of the identities fits.
    #[error(
        "none of the keys given opens this file (or its header was changed); it is sealed to X25519 \
         recipients: {x25519}, recipients of other types: {others}"
    )]
    NoKey {
        /// How many X25519 recipients the header has.
        x25519: usize,
        /// How many of types that this crate does not know.
        others: usize,
    },
    /// A passphrase is needed and none was given.
    #[error("this file is sealed with a passphrase; give the passphrase")]
    NeedsPassphrase,
    /// The passphrase does not open its stanza.
    #[error("the passphrase is wrong (or the header was changed)")]
    WrongPassphrase,
    /// Opening would take more memory and time than is allowed.
    #[error(
        "the passphrase has the work factor {found}, and at most {limit} is accepted: each step doubles \
         memory and time, and {limit} already takes {} MiB",
        1_u64 << (limit.saturating_sub(10))
    )]
    WorkFactor {
        /// Base-2 logarithm that the header names.
        found: u8,
        /// The largest accepted.
        limit: u8,
    },

    /// Nothing, or next to nothing, after the header.
    #[error("the sealed file ends before its first chunk: it was cut short")]
    NoPayload,
    /// A chunk that is not the last one does not verify.
    #[error("chunk {chunk} of the sealed file is damaged, or another stands in its place")]
    Chunk {
        /// Which.
        chunk: u64,
    },
    /// The bytes at the end of the file verify neither as the last chunk nor as any.
    #[error(
        "the sealed file ends in chunk {chunk}, which does not verify: it was cut short or damaged there, \
         or something was added after it"
    )]
    LastChunk {
        /// Which.
        chunk: u64,
    },
    /// The file ends after a chunk that is not the last one.
    #[error("the sealed file was cut short: it ends after chunk {chunk}, which is not its last one")]
    Truncated {
        /// The chunk that is there.
        chunk: u64,
    },
    /// The last chunk holds nothing, though it is not the only one.
    #[error("the sealed file ends with an empty chunk, which no writer makes")]
    EmptyLastChunk,
    /// Bytes follow the last chunk.
    #[error("there are bytes after the last chunk of the sealed file; cut them off if they were added")]
    Trailing,

    /// Sealing to nobody would lose the data.
    #[error("there is nobody to seal to; give at least one recipient")]
    NoRecipients,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The text is no recipient.
    #[error("not a recipient: expected `age1` and 58 lower-case letters and digits with a valid checksum")]
    RecipientForm,
    /// The text is no identity.
    #[error(
        "line {line} is not an identity: expected `AGE-SECRET-KEY-1` and 58 upper-case letters and digits \
         with a valid checksum"
    )]
    IdentityForm {
        /// Counted from 1.
        line: usize,
    },
    /// An identity file without an identity.
    #[error("the identity file holds no AGE-SECRET-KEY-1 line")]
    NoIdentity,
    /// An identity file that is too large to be one, or is not text.
    #[error("this is not an identity file: it is too large, or not text")]
    NotIdentities,
}

/// The result of what has no input or output.
pub(crate) type SealResult<T> = std::result::Result<T, SealError>;
