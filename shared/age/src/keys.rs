//! The primitives of age: HKDF-SHA-256, HMAC-SHA-256 and ChaCha20-Poly1305.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a file key: 128 bits, as in age.
pub const FILE_KEY_BYTES: usize = 16;

/// Length of a file key in a stanza, including its tag.
pub(crate) const WRAPPED_BYTES: usize = FILE_KEY_BYTES + 16;

/// The random key that one sealed file is encrypted under. Wiped when dropped, never printed.
pub struct FileKey(Zeroizing<[u8; FILE_KEY_BYTES]>);

impl FileKey {
    /// A new random key: each sealed file has its own.
    #[must_use]
    pub fn generate() -> Self {
        let mut key = Self(Zeroizing::new([0; FILE_KEY_BYTES]));
        fill_random(key.0.as_mut_slice());
        key
    }

    /// A key that the caller unwrapped. `None` if it is not 16 bytes long.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; FILE_KEY_BYTES]>::try_from(bytes).ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// The bytes, only for a caller that wraps them into its own [`crate::Stanza`].
    #[must_use]
    pub fn expose(&self) -> &[u8; FILE_KEY_BYTES] {
        &self.0
    }

    /// `ChaCha20-Poly1305(wrapping key, file key)` with a zero nonce: every wrapping key is used once.
    pub(crate) fn wrap(&self, wrapping: &Key) -> Vec<u8> {
        self.wrap_at(wrapping, &[0; 12])
    }

    /// [`FileKey::wrap`] under a nonce that was derived with the key.
    pub(crate) fn wrap_at(&self, wrapping: &Key, nonce: &[u8; 12]) -> Vec<u8> {
        let sealed = cipher(wrapping).encrypt(&Nonce::from(*nonce), self.0.as_slice());
        sealed.expect("16 bytes are far below the cipher's limit")
    }

    /// The inverse of [`FileKey::wrap`]. `wrapped` must have [`WRAPPED_BYTES`]: a longer one could be made to
    /// open under two keys.
    pub(crate) fn unwrap(wrapping: &Key, wrapped: &[u8; WRAPPED_BYTES]) -> Option<Self> {
        Self::unwrap_at(wrapping, &[0; 12], wrapped)
    }

    /// The inverse of [`FileKey::wrap_at`].
    pub(crate) fn unwrap_at(wrapping: &Key, nonce: &[u8; 12], wrapped: &[u8; WRAPPED_BYTES]) -> Option<Self> {
        let opened = cipher(wrapping).decrypt(&Nonce::from(*nonce), wrapped.as_slice());
        Self::from_slice(&Zeroizing::new(opened.ok()?))
    }

    /// The MAC of a header, ready to be computed or verified.
    pub(crate) fn header_mac(&self, header: &[u8]) -> Hmac<Sha256> {
        let key = derive(&[], self.0.as_slice(), b"header");
        let mac = Hmac::<Sha256>::new_from_slice(key.as_slice());
        mac.expect("HMAC takes keys of any length").chain_update(header)
    }

    /// The cipher of the chunks; `nonce` precedes them in the file.
    pub(crate) fn payload_cipher(&self, nonce: &[u8]) -> ChaCha20Poly1305 {
        cipher(&derive(nonce, self.0.as_slice(), b"payload"))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey([redacted])")
    }
}

/// A derived key.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// `HKDF-SHA-256(salt, secret, info)`, 32 bytes.
pub(crate) fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Key {
    let mut key = Key::default();
    let expanded = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, key.as_mut_slice());
    expanded.expect("32 bytes are far below the limit of 255 blocks");
    key
}

/// Random bytes from the operating system, the only source.
///
/// # Panics
/// If the operating system has none. No caller can cause this, and no recovery is possible.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("every supported operating system has a random source");
}

fn cipher(key: &Key) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&**key).into())
}
