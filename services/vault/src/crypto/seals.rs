//! File keys of sealed archives: wrapped for whoever makes one, unwrapped for whoever may read one.
//!
//! Unwrapping hands out a whole archive, so that its event is committed before the key leaves, and a try that
//! failed is told too. Both events name the wrapped key by its SHA-256: the log then says which export it was.

use sha2::{Digest as _, Sha256};
use strongroom_crypto::{
    Error as CryptoError, FILE_KEY_BYTES, RootKeyId, SecretBytes, unwrap_file_key, wrap_file_key,
};
use strongroom_runtime::Caller;

use crate::audit::outcome;
use crate::error::{Error, Result};
use crate::fields;
use crate::vault::Vault;

const WRAPPED: &str = "archive.key_wrapped";
const UNWRAPPED: &str = "archive.key_unwrapped";

/// More than the vaults that one archive is sealed to.
const MAX_STANZAS: usize = 8;
/// The longest wrapped key that an archive's header may hold.
const MAX_WRAPPED: usize = 1024;

/// A file key as it stands in an archive's header.
pub(crate) struct WrappedFileKey {
    pub(crate) root_key_id: RootKeyId,
    pub(crate) wrapped: Vec<u8>,
}

impl WrappedFileKey {
    /// # Errors
    /// [`Error::Field`] for a field of `root_key_id` or `wrapped`.
    pub(crate) fn parse(root_key_id: &str, wrapped: &[u8]) -> Result<Self> {
        let refuse = |field, problem: String| Err(Error::Field { field, problem });
        let Ok(root_key_id) = root_key_id.parse() else {
            return refuse("root_key_id", "must be 16 lower-case hexadecimal digits".into());
        };
        match wrapped.len() {
            0 => refuse("wrapped", "must not be empty".into()),
            bytes if bytes > MAX_WRAPPED => {
                refuse("wrapped", format!("has {bytes} bytes; at most {MAX_WRAPPED} are allowed"))
            }
            _ => Ok(Self { root_key_id, wrapped: wrapped.to_vec() }),
        }
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.wrapped))
    }
}

/// Refuses a list of stanzas as a whole.
pub(crate) fn check_count(count: usize) -> Result<()> {
    let refuse = |problem: String| Err(Error::Field { field: "stanzas", problem });
    match count {
        0 => refuse("must not be empty".into()),
        1..=MAX_STANZAS => Ok(()),
        _ => refuse(format!("has {count} stanzas; at most {MAX_STANZAS} are allowed")),
    }
}

impl Vault {
    /// Wraps `file_key` under the current root key. `archive_id` goes into the event; it may be empty.
    pub(crate) async fn wrap_file_key(
        &self,
        caller: &Caller,
        file_key: &[u8],
        archive_id: &str,
    ) -> Result<WrappedFileKey> {
        let archive_id = fields::optional(archive_id, |id| fields::id("archive_id", id))?;
        let key: &[u8; FILE_KEY_BYTES] = file_key.try_into().map_err(|_| Error::Field {
            field: "file_key",
            problem: format!("has {} bytes; must have {FILE_KEY_BYTES}", file_key.len()),
        })?;
        let root = self.ring.root();
        let wrapped = WrappedFileKey { root_key_id: root.id(), wrapped: wrap_file_key(root, key) };
        let event = self
            .event(caller, WRAPPED, &archive_id)
            .with("root_key_id", wrapped.root_key_id.as_str())
            .with("wrapped_sha256", wrapped.digest());
        self.log.commit(event.finish(), None).await?;
        Ok(wrapped)
    }

    /// The file key of the first of `stanzas` that opens.
    ///
    /// # Errors
    /// [`CryptoError::NoRootForSeal`] where this vault has none of the root keys, [`Error::FileKeyInvalid`].
    pub(crate) async fn unwrap_file_key(
        &self,
        caller: &Caller,
        stanzas: &[WrappedFileKey],
    ) -> Result<SecretBytes> {
        let roots = self.ring.roots();
        let mut refusal = None;
        for stanza in stanzas {
            match unwrap_file_key(&roots, &stanza.root_key_id, &stanza.wrapped) {
                Ok(key) => {
                    self.record_unwrapping(caller, stanza, outcome::SUCCESS).await?;
                    return Ok(key);
                }
                // Changed bytes under a root key of ours say more than one that is another vault's.
                Err(CryptoError::UnwrapFileKey) => refusal = Some((stanza, Error::FileKeyInvalid)),
                Err(other) => {
                    refusal.get_or_insert((stanza, other.into()));
                }
            }
        }
        let none = || Error::Inconsistent("no stanzas were given to unwrap".into());
        let (stanza, error) = refusal.ok_or_else(none)?;
        self.record_unwrapping(caller, stanza, outcome::FAILED).await?;
        Err(error)
    }

    async fn record_unwrapping(&self, caller: &Caller, stanza: &WrappedFileKey, outcome: &str) -> Result<()> {
        let event = self
            .event(caller, UNWRAPPED, stanza.root_key_id.as_str())
            .outcome(outcome)
            .with("wrapped_sha256", stanza.digest());
        self.log.commit(event.finish(), None).await
    }
}
