//! The secrets that open a sealed file.

use crate::error::SealResult;
use crate::hybrid::{self, HybridIdentity};
use crate::keys::FileKey;
use crate::passphrase::Passphrase;
use crate::stanza::Stanza;
use crate::x25519::{self, X25519Identity};

/// A secret that opens a sealed file.
#[derive(Debug)]
pub enum Identity {
    /// The private half of a key.
    X25519(X25519Identity),
    /// The private half of a post-quantum key.
    Hybrid(Box<HybridIdentity>),
    /// A passphrase.
    Passphrase(Passphrase),
}

impl Identity {
    /// The file key, if the stanza is for this identity. [`crate::Header::unlock`] tries passphrases itself, because
    /// they must be alone.
    ///
    /// # Errors
    /// If the stanza is of this identity's type and malformed.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> SealResult<Option<FileKey>> {
        match (self, stanza.kind()) {
            (Self::X25519(identity), x25519::KIND) => identity.unwrap(stanza),
            (Self::Hybrid(identity), hybrid::KIND) => identity.unwrap(stanza),
            _ => Ok(None),
        }
    }
}
