//! Randomness from the operating system: the only source this crate uses.

use crate::secret::KeyBytes;

/// Fills `bytes` with random ones.
///
/// # Panics
/// If the operating system has no random source. No caller can cause it, and nothing can go on without.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("every supported operating system has a random source");
}

/// `N` random bytes, for what is public: nonces and ids.
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
