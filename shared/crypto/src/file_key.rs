//! Wrapping the file keys of sealed archives.
//!
//! The wrapping key is derived from the root key and is not part of the ring, because the ring is inside the
//! archive: if the vault's database is lost, the root key and one archive suffice.

use crate::body::SealingKey;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;
use crate::{RootKey, RootKeyId, aad};

/// First authenticated field.
const FORMAT: &str = "sfk1";

/// Length of a file key in bytes.
pub const FILE_KEY_BYTES: usize = 16;

/// Length of a wrapped file key in bytes: nonce, commitment, ciphertext and tag.
pub const WRAPPED_FILE_KEY_BYTES: usize = FILE_KEY_BYTES + 72;

/// Wraps a file key under `root`. Store the root key's id with it: unwrapping requires it.
#[must_use]
pub fn wrap_file_key(root: &RootKey, file_key: &[u8; FILE_KEY_BYTES]) -> Vec<u8> {
    sealing_key(root).seal_body(&wrapping_aad(&root.id()), file_key)
}

/// Unwraps a file key made by [`wrap_file_key`], with the root key in `roots` whose id is `wrapped_by`.
///
/// # Errors
/// [`Error::NoRootForSeal`] if no root key has that id, [`Error::UnwrapFileKey`] if the bytes were changed.
pub fn unwrap_file_key(roots: &[&RootKey], wrapped_by: &RootKeyId, wrapped: &[u8]) -> Result<SecretBytes> {
    let Some(root) = roots.iter().find(|root| root.id() == *wrapped_by) else {
        let given: Vec<String> = roots.iter().map(|root| root.id().to_string()).collect();
        return Err(Error::NoRootForSeal { wrapped_by: wrapped_by.clone(), given: given.join(", ") });
    };
    if wrapped.len() != WRAPPED_FILE_KEY_BYTES {
        return Err(Error::UnwrapFileKey);
    }
    let opened = sealing_key(root).open_body(&wrapping_aad(wrapped_by), wrapped);
    opened.map_err(|_| Error::UnwrapFileKey)
}

fn sealing_key(root: &RootKey) -> SealingKey {
    SealingKey::derive(&root.derive("seal"))
}

fn wrapping_aad(root_key_id: &RootKeyId) -> Vec<u8> {
    aad::encode(&[FORMAT, "file-key", root_key_id.as_str()])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FILE_KEY: [u8; FILE_KEY_BYTES] = [7; FILE_KEY_BYTES];

    #[test]
    fn the_root_key_that_is_named_unwraps_it() {
        let (root, other) = (RootKey::generate(), RootKey::generate());
        let wrapped = wrap_file_key(&root, &FILE_KEY);
        assert_eq!(wrapped.len(), WRAPPED_FILE_KEY_BYTES);
        assert_ne!(wrapped, wrap_file_key(&root, &FILE_KEY));
        let opened = unwrap_file_key(&[&other, &root], &root.id(), &wrapped).unwrap();
        assert_eq!(opened.expose(), FILE_KEY);

        let message = unwrap_file_key(&[&other], &root.id(), &wrapped).unwrap_err().to_string();
        assert!(message.contains(root.id().as_str()) && message.contains(other.id().as_str()), "{message}");
        let renamed = unwrap_file_key(&[&other], &other.id(), &wrapped).unwrap_err();
        assert_eq!(renamed, Error::UnwrapFileKey);
    }

    #[test]
    fn every_changed_bit_and_every_other_length_is_refused() {
        let root = RootKey::generate();
        let wrapped = wrap_file_key(&root, &FILE_KEY);
        for at in 0..wrapped.len() * 8 {
            let mut changed = wrapped.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let error = unwrap_file_key(&[&root], &root.id(), &changed).unwrap_err();
            assert_eq!(error, Error::UnwrapFileKey, "bit {at}");
        }
        for length in 0..wrapped.len() {
            assert!(unwrap_file_key(&[&root], &root.id(), &wrapped[..length]).is_err(), "{length}");
        }
        let longer = [wrapped.as_slice(), &[0]].concat();
        assert!(unwrap_file_key(&[&root], &root.id(), &longer).is_err());
    }

    /// Ring versions and file keys never share a wrapping key.
    #[test]
    fn the_wrapping_key_is_its_own() {
        let root = RootKey::generate();
        let ring = SealingKey::derive(&root.derive("wrap"));
        let wrapped = ring.seal_body(&wrapping_aad(&root.id()), &FILE_KEY);
        assert!(unwrap_file_key(&[&root], &root.id(), &wrapped).is_err());
    }
}
