//! Recipients: each becomes a stanza of the header that wraps the same file key.

use crate::error::{SealError, SealResult};
use crate::keys::FileKey;
use crate::passphrase::{self, Passphrase};
use crate::stanza::Stanza;
use crate::x25519::{self, X25519Recipient};

/// The recipients of a file. age does not allow a passphrase beside anything else.
#[derive(Debug)]
pub enum Recipients {
    /// Each of these opens the file by itself.
    Keys(Vec<Recipient>),
    /// The passphrase opens the file, and nothing else does.
    Passphrase(Passphrase),
}

/// One recipient that holds a key.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// The holder of an identity `AGE-SECRET-KEY-1…`.
    X25519(X25519Recipient),
    /// A recipient of the caller's own type, which has wrapped the very file key that the writer is given.
    Stanza(Stanza),
}

impl Recipients {
    /// The stanzas of a header.
    pub(crate) fn wrap(&self, file_key: &FileKey) -> SealResult<Vec<Stanza>> {
        match self {
            Self::Passphrase(passphrase) => Ok(vec![passphrase.wrap(file_key)]),
            Self::Keys(keys) if keys.is_empty() => Err(SealError::NoRecipients),
            Self::Keys(keys) => keys.iter().map(|key| key.wrap(file_key)).collect(),
        }
    }
}

impl Recipient {
    fn wrap(&self, file_key: &FileKey) -> SealResult<Stanza> {
        match self {
            Self::X25519(recipient) => recipient.wrap(file_key),
            Self::Stanza(stanza) if is_of_callers_own_type(stanza) => Ok(stanza.clone()),
            Self::Stanza(_) => Err(SealError::StanzaForm),
        }
    }
}

fn is_of_callers_own_type(stanza: &Stanza) -> bool {
    stanza.has_words_only() && ![x25519::KIND, passphrase::KIND].contains(&stanza.kind())
}
