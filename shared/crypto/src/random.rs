//! Randomness from the operating system, this crate's only source.

use crate::secret::KeyBytes;

/// Fills `bytes` with random bytes.
///
/// # Panics
/// If the operating system has no random source. No caller can cause this, and no recovery is possible.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("every supported operating system has a random source");
}

/// `N` random bytes, for public values: nonces and ids.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A random key.
pub(crate) fn key() -> KeyBytes {
    let mut key = KeyBytes::new([0; 32]);
    fill(key.expose_mut());
    key
}
