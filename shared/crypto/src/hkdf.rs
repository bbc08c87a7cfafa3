//! HKDF-SHA-256 (RFC 5869) without salt: derives several independent keys from one.
//!
//! The label is the `info` input. The crate's documentation lists the labels; they never change.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::secret::KeyBytes;

/// Derives at most 32 bytes from `key` under `label` into `output`.
pub(crate) fn derive_into(key: &KeyBytes, label: &str, output: &mut [u8]) {
    debug_assert!(output.len() <= 32);
    Hkdf::<Sha256>::new(None, key.expose())
        .expand(label.as_bytes(), output)
        .expect("32 bytes are far below the limit of 255 blocks");
}

/// A key for the use that `label` names.
pub(crate) fn derive(key: &KeyBytes, label: &str) -> KeyBytes {
    let mut derived = KeyBytes::new([0; 32]);
    derive_into(key, label, derived.expose_mut());
    derived
}
