//! File keys of sealed archives: wrapped when an archive is made, unwrapped when one is read.
//!
//! Unwrapping gives access to a complete archive, so its event is committed before the key leaves, and a failed
//! attempt is recorded too. Both events name the wrapped key by its SHA-256, which identifies the export.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use strongroom_crypto::{
    Error as CryptoError, FILE_KEY_BYTES, RootKeyId, SecretBytes, unwrap_file_key, wrap_file_key,
};
use strongroom_runtime::{Caller, Clock};

use crate::audit::{Event, UseLog};
use crate::error::{Error, Result};
use crate::keys::Ring;
use crate::store::Outcome;

const WRAPPED: &str = "archive.key_wrapped";
const UNWRAPPED: &str = "archive.key_unwrapped";

/// A wrapped file key, as in an archive's header.
pub(crate) struct WrappedFileKey {
    pub(crate) root_key_id: RootKeyId,
    pub(crate) wrapped: Vec<u8>,
}

impl WrappedFileKey {
    fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.wrapped))
    }
}

/// Wraps and unwraps the vault's stanzas in the seals of archives.
pub(crate) struct Seals {
    ring: Arc<Ring>,
    uses: Arc<UseLog>,
    clock: Arc<dyn Clock>,
}

impl Seals {
    pub(crate) fn new(ring: Arc<Ring>, uses: Arc<UseLog>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, uses, clock }
    }

    /// Wraps `file_key` under the current root key. `archive_id` is recorded in the event, and can be empty.
    pub(crate) async fn wrap(
        &self,
        caller: &Caller,
        file_key: &[u8; FILE_KEY_BYTES],
        archive_id: &str,
    ) -> Result<WrappedFileKey> {
        let root = self.ring.root();
        let wrapped = WrappedFileKey { root_key_id: root.id(), wrapped: wrap_file_key(root, file_key) };
        let event = Event::by(caller, self.clock.now_micros(), WRAPPED, archive_id)
            .with("root_key_id", wrapped.root_key_id.as_str())
            .with("wrapped_sha256", wrapped.digest());
        self.uses.commit(event.finish(), None).await?;
        Ok(wrapped)
    }

    /// The file key of the first of `stanzas` that opens.
    ///
    /// # Errors
    /// [`CryptoError::NoRootForSeal`] if this vault has none of the root keys, [`Error::FileKeyInvalid`].
    pub(crate) async fn unwrap(&self, caller: &Caller, stanzas: &[WrappedFileKey]) -> Result<SecretBytes> {
        let roots = self.ring.roots();
        let mut refusal = None;
        for stanza in stanzas {
            match unwrap_file_key(&roots, &stanza.root_key_id, &stanza.wrapped) {
                Ok(key) => {
                    self.record_unwrapping(caller, stanza, Outcome::Success).await?;
                    return Ok(key);
                }
                // Changed bytes under one of this vault's root keys are a better reason than a stanza for another
                // vault.
                Err(CryptoError::UnwrapFileKey) => refusal = Some((stanza, Error::FileKeyInvalid)),
                Err(other) => {
                    refusal.get_or_insert((stanza, other.into()));
                }
            }
        }
        let none = || Error::Inconsistent("no stanzas were given to unwrap".into());
        let (stanza, error) = refusal.ok_or_else(none)?;
        self.record_unwrapping(caller, stanza, Outcome::Failed).await?;
        Err(error)
    }

    async fn record_unwrapping(
        &self,
        caller: &Caller,
        stanza: &WrappedFileKey,
        outcome: Outcome,
    ) -> Result<()> {
        let event = Event::by(caller, self.clock.now_micros(), UNWRAPPED, stanza.root_key_id.as_str())
            .outcome(outcome)
            .with("wrapped_sha256", stanza.digest());
        self.uses.commit(event.finish(), None).await
    }
}
