//! The header of a sealed archive: an age header whose vault stanzas are all well-formed.

use std::io::BufRead;

use strongroom_age::{FileKey, Identity, SealError, Unlocked};

use super::vault::VaultStanza;
use crate::error::{Error, Result};

/// A parsed header. Nothing in it is authentic before one of the `unlock` functions returns.
#[derive(Debug)]
pub struct Header {
    age: strongroom_age::Header,
    vault: Vec<VaultStanza>,
}

impl Header {
    /// Reads a header from the start of a sealed archive and leaves the reader at the payload.
    ///
    /// # Errors
    /// [`Error::Seal`] if the bytes are not an age v1 header, if the header is longer than
    /// [`strongroom_age::MAX_HEADER_BYTES`], or if a vault stanza is malformed, even if another recipient
    /// could open the file.
    pub fn read<R: BufRead>(reader: &mut R) -> Result<Self> {
        let age = strongroom_age::Header::read(reader)?;
        let vault = age
            .stanzas()
            .iter()
            .filter_map(VaultStanza::parse)
            .collect::<std::result::Result<_, SealError>>()?;
        Ok(Self { age, vault })
    }

    /// The stanzas that a vault can be asked to unwrap, in header order.
    pub fn vault_stanzas(&self) -> impl Iterator<Item = VaultStanza> {
        self.vault.iter().cloned()
    }

    /// Whether it can be opened with a passphrase, and only with that.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.age.needs_passphrase()
    }

    /// Finds the file key with one of `identities`, and verifies the header.
    ///
    /// # Errors
    /// [`Error::NoKey`], which names the recipients, if no identity fits; otherwise [`Error::Seal`].
    pub fn unlock(&self, identities: &[Identity]) -> Result<Unlocked> {
        self.age.unlock(identities).map_err(|error| match error {
            strongroom_age::Error::Seal(SealError::NoKey { x25519, hybrid, others }) => {
                self.no_key(x25519, hybrid, others)
            }
            other => other.into(),
        })
    }

    /// Verifies the header with a file key that the vault unwrapped.
    ///
    /// # Errors
    /// [`SealError::HeaderChanged`] if the key does not belong to this header.
    pub fn unlock_with(&self, file_key: FileKey) -> Result<Unlocked> {
        Ok(self.age.unlock_with(file_key)?)
    }

    fn no_key(&self, recovery_keys: usize, post_quantum_keys: usize, others: usize) -> Error {
        let vault =
            |stanza: &VaultStanza| format!("the vault that has the root key {}", stanza.root_key_id());
        let mut sealed_to: Vec<String> = self.vault.iter().map(vault).collect();
        let unknown = others - sealed_to.len();
        if recovery_keys > 0 {
            sealed_to.push(format!("recovery keys: {recovery_keys}"));
        }
        if post_quantum_keys > 0 {
            sealed_to.push(format!("post-quantum recovery keys: {post_quantum_keys}"));
        }
        if unknown > 0 {
            sealed_to.push(format!("recipients of other kinds: {unknown}"));
        }
        Error::NoKey { sealed_to: sealed_to.join(", ") }
    }
}
