//! The vault's own stanza: the file key wrapped by the root key, opaque here.
//!
//! The vault wraps and unwraps in a call; this crate never sees a root key. The stanza contains the root
//! key's id, which tells a vault with several root keys, and an operator, which one is needed.

use strongroom_age::{Recipient, SealError, Stanza};

/// The stanza's type.
const KIND: &str = "strongroom.dev/vault-v1";

/// Maximum length of a file key wrapped by the vault.
const MAX_WRAPPED_BYTES: usize = 1024;

/// A file key wrapped by the vault. Public: nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStanza {
    root_key_id: String,
    wrapped: Vec<u8>,
}

impl VaultStanza {
    /// Built from the vault's response: the root key's id, 16 lower-case hexadecimal digits, and the wrapped
    /// file key, at most 1 KiB.
    ///
    /// # Errors
    /// [`SealError::Stanza`] if either has another form.
    pub fn new(root_key_id: &str, wrapped: Vec<u8>) -> crate::Result<Self> {
        Ok(Self::check(root_key_id, wrapped)?)
    }

    /// The id of the root key that wraps it.
    #[must_use]
    pub fn root_key_id(&self) -> &str {
        &self.root_key_id
    }

    /// The wrapped file key, for the vault to unwrap.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        &self.wrapped
    }

    /// `None` if the stanza is of another type.
    pub(super) fn parse(stanza: &Stanza) -> Option<Result<Self, SealError>> {
        if stanza.kind() != KIND {
            return None;
        }
        let [root_key_id] = stanza.arguments() else {
            return Some(Err(malformed("does not have exactly one argument")));
        };
        Some(Self::check(root_key_id, stanza.body().to_vec()))
    }

    fn check(root_key_id: &str, wrapped: Vec<u8>) -> Result<Self, SealError> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if root_key_id.len() != 16 || !root_key_id.bytes().all(is_hex) {
            return Err(malformed("does not name a root key by 16 hexadecimal digits"));
        }
        if wrapped.is_empty() || wrapped.len() > MAX_WRAPPED_BYTES {
            return Err(malformed("has a body that is empty or too long"));
        }
        Ok(Self { root_key_id: root_key_id.to_owned(), wrapped })
    }
}

impl From<VaultStanza> for Recipient {
    fn from(VaultStanza { root_key_id, wrapped }: VaultStanza) -> Self {
        Self::Stanza(Stanza::new(KIND, vec![root_key_id], wrapped))
    }
}

fn malformed(problem: &'static str) -> SealError {
    SealError::Stanza { recipient: "the vault", problem }
}
