//! Message authentication with a key version: it makes the audit chain more than a checksum.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hkdf;
use crate::secret::KeyBytes;

/// An HMAC-SHA-256 key (RFC 2104), derived from a key version or the root key. Cheap to clone.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Derives the MAC key that `label` names.
    pub(crate) fn derive(key: &KeyBytes, label: &str) -> Self {
        Self::new(&hkdf::derive(key, label))
    }

    /// Uses a key that was derived for this purpose only.
    pub(crate) fn new(key: &KeyBytes) -> Self {
        Self(Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length"))
    }

    /// A separate key for the use that `label` names. HMAC is a pseudorandom function, so MACs of one key
    /// reveal nothing about another. The crate's documentation lists the labels.
    #[must_use]
    pub fn for_use(&self, label: &str) -> Self {
        Self::new(&KeyBytes::new(self.mac(label.as_bytes())))
    }

    /// The MAC of `message`. To check a MAC that an attacker can influence, use [`Self::verify`].
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Whether `mac` is the MAC of `message`, in constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        let mut expected = self.0.clone();
        expected.update(message);
        expected.verify_slice(mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}
