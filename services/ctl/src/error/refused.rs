//! Refusals and failures of the command itself, on this machine. Scripts get the gRPC code that a service would use,
//! and a reason (docs/symptoms.md).

use std::fmt;
use std::io;

use anyhow::Error;
use strongroom_age::SealError;
use strongroom_archive::Error as ArchiveError;
use tonic::Code;

/// Reasons of failures on this machine. Their texts never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Local {
    ArchiveDamaged,
    CredentialNotFound,
    FileDenied,
    FileExists,
    FileNotFound,
    Interrupted,
    NameAmbiguous,
    NameTaken,
    NotConfirmed,
    PassphraseGuessable,
    SealClosed,
    TokenMissing,
    TokenNotFound,
    UnknownSigner,
}

impl Local {
    /// The reason for scripts.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::ArchiveDamaged => "ARCHIVE_DAMAGED",
            Self::CredentialNotFound => "CREDENTIAL_NOT_FOUND",
            Self::FileDenied => "FILE_DENIED",
            Self::FileExists => "FILE_EXISTS",
            Self::FileNotFound => "FILE_NOT_FOUND",
            Self::Interrupted => "INTERRUPTED",
            Self::NameAmbiguous => "NAME_AMBIGUOUS",
            Self::NameTaken => "NAME_TAKEN",
            Self::NotConfirmed => "NOT_CONFIRMED",
            Self::PassphraseGuessable => "PASSPHRASE_GUESSABLE",
            Self::SealClosed => "SEAL_CLOSED",
            Self::TokenMissing => "TOKEN_MISSING",
            Self::TokenNotFound => "TOKEN_NOT_FOUND",
            Self::UnknownSigner => "UNKNOWN_SIGNER",
        }
    }

    /// The nearest gRPC code.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::ArchiveDamaged => Code::DataLoss,
            Self::CredentialNotFound | Self::FileNotFound | Self::TokenNotFound => Code::NotFound,
            Self::FileDenied => Code::PermissionDenied,
            Self::FileExists | Self::NameTaken => Code::AlreadyExists,
            Self::Interrupted => Code::Cancelled,
            Self::NotConfirmed => Code::Aborted,
            Self::PassphraseGuessable => Code::InvalidArgument,
            Self::TokenMissing => Code::Unauthenticated,
            Self::NameAmbiguous | Self::SealClosed | Self::UnknownSigner => Code::FailedPrecondition,
        }
    }

    /// The reason of `error`, from the outermost cause that has one.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused.reason);
        }
        error.chain().find_map(|cause| {
            let of_archive = || cause.downcast_ref().and_then(of_archive);
            let of_age = || cause.downcast_ref().and_then(of_age);
            let of_seal = || cause.downcast_ref().and_then(of_seal);
            of_archive().or_else(of_age).or_else(of_seal).or_else(|| cause.downcast_ref().and_then(of_file))
        })
    }
}

fn of_archive(error: &ArchiveError) -> Option<Local> {
    use ArchiveError::{
        Compressor, Dangling, EarlierBuild, FutureVersion, Limit, NoEntry, NoKey, Read, RowLimit, Seal, Sink,
        Usage,
    };
    match error {
        Seal(error) => of_seal(error),
        Sink(_) | Read(_) | Compressor(_) | Usage(_) | Limit { .. } | RowLimit { .. } => None,
        // The archive is as it was made.
        EarlierBuild | FutureVersion(_) | Dangling(_) | NoEntry { .. } => None,
        NoKey { .. } => Some(Local::SealClosed),
        _ => Some(Local::ArchiveDamaged),
    }
}

fn of_age(error: &strongroom_age::Error) -> Option<Local> {
    match error {
        strongroom_age::Error::Seal(error) => of_seal(error),
        _ => None,
    }
}

/// Errors of recipients and new passphrases say nothing about a file.
fn of_seal(error: &SealError) -> Option<Local> {
    use SealError::{
        Chunk, EmptyLastChunk, Header, HeaderChanged, HeaderCut, HeaderTooLong, IdentityForm, LastChunk,
        NeedsPassphrase, NoIdentity, NoKey, NoPayload, NotIdentities, NotSealed, PassphraseNotAlone, Stanza,
        Trailing, Truncated, WrongPassphrase,
    };
    match error {
        NoKey { .. } | NeedsPassphrase | WrongPassphrase => Some(Local::SealClosed),
        NoIdentity | NotIdentities | IdentityForm { .. } => Some(Local::SealClosed),
        NotSealed | HeaderCut | HeaderTooLong { .. } | Header { .. } | Stanza { .. } | PassphraseNotAlone => {
            Some(Local::ArchiveDamaged)
        }
        HeaderChanged | NoPayload | Chunk { .. } | LastChunk { .. } | Truncated { .. } => {
            Some(Local::ArchiveDamaged)
        }
        EmptyLastChunk | Trailing => Some(Local::ArchiveDamaged),
        _ => None,
    }
}

fn of_file(error: &io::Error) -> Option<Local> {
    match error.kind() {
        io::ErrorKind::NotFound => Some(Local::FileNotFound),
        io::ErrorKind::PermissionDenied => Some(Local::FileDenied),
        io::ErrorKind::AlreadyExists => Some(Local::FileExists),
        _ => None,
    }
}

/// A refusal by the command itself.
#[derive(Debug)]
pub(crate) struct Refused {
    reason: Local,
    sentence: String,
}

impl Refused {
    pub(crate) fn new(reason: Local, sentence: impl Into<String>) -> Self {
        Self { reason, sentence: sentence.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_reason_is_found_below_contexts() {
        for (error, expected) in [
            (anyhow!(Refused::new(Local::TokenMissing, "no token")), Some(Local::TokenMissing)),
            (anyhow!(io::Error::from(io::ErrorKind::NotFound)), Some(Local::FileNotFound)),
            (anyhow!(ArchiveError::NoKey { sealed_to: String::new() }), Some(Local::SealClosed)),
            (anyhow!(ArchiveError::NotZip), Some(Local::ArchiveDamaged)),
            (anyhow!(ArchiveError::Seal(SealError::WrongPassphrase)), Some(Local::SealClosed)),
            (anyhow!(strongroom_age::Error::Seal(SealError::Trailing)), Some(Local::ArchiveDamaged)),
            (anyhow!(SealError::NeedsPassphrase), Some(Local::SealClosed)),
            (anyhow!(SealError::PostQuantumNotAlone), None),
            (anyhow!(SealError::EmptyPassphrase), None),
            (anyhow!(ArchiveError::Dangling(String::new())), None),
            (anyhow!(io::Error::other("FILE_EXISTS")), None),
            (anyhow!("NOT_CONFIRMED"), None),
        ] {
            let error = error.context("f.zip").context("reading");
            assert_eq!(Local::of(&error), expected, "{error:#}");
        }
    }
}
