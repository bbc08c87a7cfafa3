//! Recipients: each one results in a header stanza that wraps the same file key.

use crate::error::{SealError, SealResult};
use crate::hybrid::{self, HybridRecipient};
use crate::keys::FileKey;
use crate::passphrase::{self, Passphrase};
use crate::stanza::Stanza;
use crate::x25519::{self, X25519Recipient};

/// The recipients of a file. age does not allow a passphrase together with other recipients.
#[derive(Debug)]
pub enum Recipients {
    /// Each of these can open the file alone.
    Keys(Vec<Recipient>),
    /// Only the passphrase can open the file.
    Passphrase(Passphrase),
}

/// One recipient that holds a key.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// The holder of an identity `AGE-SECRET-KEY-1…`.
    X25519(X25519Recipient),
    /// The holder of an identity `AGE-SECRET-KEY-PQ-1…`.
    Hybrid(Box<HybridRecipient>),
    /// A recipient of the application's own type, whose stanza wraps the same file key that the writer
    /// receives.
    Stanza(Stanza),
}

impl Recipients {
    /// The stanzas of a header.
    pub(crate) fn wrap(&self, file_key: &FileKey) -> SealResult<Vec<Stanza>> {
        match self {
            Self::Passphrase(passphrase) => Ok(vec![passphrase.wrap(file_key)]),
            Self::Keys(keys) if keys.is_empty() => Err(SealError::NoRecipients),
            Self::Keys(keys) if is_weakened(keys) => Err(SealError::PostQuantumNotAlone),
            Self::Keys(keys) => keys.iter().map(|key| key.wrap(file_key)).collect(),
        }
    }
}

impl Recipient {
    fn wrap(&self, file_key: &FileKey) -> SealResult<Stanza> {
        match self {
            Self::X25519(recipient) => recipient.wrap(file_key),
            Self::Hybrid(recipient) => Ok(recipient.wrap(file_key)),
            Self::Stanza(stanza) if is_of_callers_own_type(stanza) => Ok(stanza.clone()),
            Self::Stanza(_) => Err(SealError::StanzaForm),
        }
    }
}

/// Whether post-quantum recipients are mixed with others, whose keys a quantum computer could break. age refuses
/// to write such files too.
fn is_weakened(keys: &[Recipient]) -> bool {
    keys.iter().any(|key| matches!(key, Recipient::Hybrid(_)))
        && keys.iter().any(|key| matches!(key, Recipient::X25519(_)))
}

fn is_of_callers_own_type(stanza: &Stanza) -> bool {
    stanza.has_words_only() && ![x25519::KIND, hybrid::KIND, passphrase::KIND].contains(&stanza.kind())
}
