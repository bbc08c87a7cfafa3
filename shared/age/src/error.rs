//! Errors of sealed files, each kind of fault with its own message.

use std::io;

/// Why a file could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Writing the sealed file failed. The kind is that of the underlying error.
    #[error("the sealed file could not be written any further: {0}")]
    Sink(#[source] io::Error),
    /// Reading the sealed file failed.
    #[error("the sealed file could not be read: {0}")]
    Read(#[source] io::Error),
    /// The file, or the key that should open it, is wrong.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// This crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// This crate's error if the `Read` of a sealed file wrapped one, otherwise [`Error::Read`].
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

/// An error of a sealed file, a recipient or an identity: [`Error`] without the I/O errors, so that it can be
/// compared and cloned. No variant contains a key, a passphrase or text that failed to parse. Chunks are
/// counted from 0, as in their nonces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Not an age file.
    #[error("this is not a sealed file: it does not begin like an age file")]
    NotSealed,
    /// An armored age file.
    #[error("this age file is armored (text, not binary); make it again without --armor")]
    Armored,
    /// An age file of an unknown version.
    #[error("this age file has version {found:?}, and this release knows only v1: use a newer release")]
    UnknownVersion {
        /// The text found in place of `v1`, 20 characters at most.
        found: String,
    },
    /// The header is incomplete.
    #[error("the sealed file ends inside its header: it was cut short")]
    HeaderCut,
    /// The header is longer than [`crate::MAX_HEADER_BYTES`].
    #[error("the header exceeds the limit of {limit} bytes: there are too many recipients")]
    HeaderTooLong {
        /// The limit.
        limit: usize,
    },
    /// A header that violates age's grammar.
    #[error("line {line} of the sealed file's header {problem}")]
    Header {
        /// The line number, counted from 1.
        line: usize,
        /// The problem, as a verb phrase.
        problem: &'static str,
    },
    /// A recipient stanza whose content does not match its type.
    #[error("the header has a stanza for {recipient} that {problem}")]
    Stanza {
        /// The type of recipient.
        recipient: &'static str,
        /// The problem, as a verb phrase.
        problem: &'static str,
    },
    /// A stanza to be written that no header can contain.
    #[error(
        "a custom stanza's type and arguments must be words of visible ASCII, and its type must not be one that age defines"
    )]
    StanzaForm,
    /// A passphrase together with other recipients, which age forbids.
    #[error("the header has a passphrase and other recipients; a passphrase must be the only recipient")]
    PassphraseNotAlone,
    /// A post-quantum recipient together with one whose key a quantum computer could break.
    #[error(
        "post-quantum recipients (age1pq1…) and others (age1…) cannot be mixed: the file would be only as \
         strong as the weaker kind; give one kind only"
    )]
    PostQuantumNotAlone,
    /// The header was changed, or the file key belongs to another file.
    #[error("the header was changed after sealing, or the file key belongs to another file")]
    HeaderChanged,

    /// No identity fits.
    #[error(
        "none of the keys given opens this file (or its header was changed); it is sealed to X25519 \
         recipients: {x25519}{}, recipients of other types: {others}",
        if *hybrid > 0 { format!(", post-quantum recipients: {hybrid}") } else { String::new() }
    )]
    NoKey {
        /// Number of X25519 recipients in the header.
        x25519: usize,
        /// Number of post-quantum recipients in the header.
        hybrid: usize,
        /// Number of recipients of unknown types.
        others: usize,
    },
    /// The file needs a passphrase and none was given.
    #[error("this file is sealed with a passphrase; give the passphrase")]
    NeedsPassphrase,
    /// The passphrase does not open its stanza.
    #[error("the passphrase is wrong (or the header was changed)")]
    WrongPassphrase,
    /// Opening would take more memory and time than allowed.
    #[error(
        "the passphrase has the work factor {found}, above the accepted limit of {limit}: each step doubles \
         memory and time, and {limit} already takes {} MiB",
        1_u64 << (limit.saturating_sub(10))
    )]
    WorkFactor {
        /// The base-2 logarithm in the header.
        found: u8,
        /// The largest accepted value.
        limit: u8,
    },

    /// Nothing, or almost nothing, follows the header.
    #[error("the sealed file ends before its first chunk: it was cut short")]
    NoPayload,
    /// A chunk other than the last one does not verify.
    #[error("chunk {chunk} of the sealed file is damaged, or another chunk is in its place")]
    Chunk {
        /// The chunk's number.
        chunk: u64,
    },
    /// The bytes at the end of the file do not verify as a chunk, last or not.
    #[error(
        "the sealed file ends in chunk {chunk}, which does not verify: it was cut short or damaged there, \
         or something was added after it"
    )]
    LastChunk {
        /// The chunk's number.
        chunk: u64,
    },
    /// The file ends after a chunk other than the last one.
    #[error("the sealed file was cut short: it ends after chunk {chunk}, which is not its last one")]
    Truncated {
        /// The number of the chunk before the end.
        chunk: u64,
    },
    /// The last chunk is empty although it is not the only one.
    #[error("the sealed file ends with an empty chunk, which no writer makes")]
    EmptyLastChunk,
    /// Bytes follow the last chunk.
    #[error("there are bytes after the last chunk of the sealed file; cut them off if they were added")]
    Trailing,

    /// No recipients: the data would be lost.
    #[error("there are no recipients to seal to; give at least one")]
    NoRecipients,
    /// The passphrase is empty and would protect nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The text is not a recipient.
    #[error("not a recipient: expected `age1` and 58 lower-case letters and digits with a valid checksum")]
    RecipientForm,
    /// The text is not an identity.
    #[error(
        "line {line} is not an identity: expected `AGE-SECRET-KEY-1` and 58 upper-case letters and digits \
         with a valid checksum"
    )]
    IdentityForm {
        /// The line number, counted from 1.
        line: usize,
    },
    /// An identity file without identities.
    #[error("the identity file holds no AGE-SECRET-KEY-1 line")]
    NoIdentity,
    /// An identity file that is too large or not text.
    #[error("this is not an identity file: it is too large, or not text")]
    NotIdentities,
}

/// The result of functions without I/O.
pub(crate) type SealResult<T> = std::result::Result<T, SealError>;
