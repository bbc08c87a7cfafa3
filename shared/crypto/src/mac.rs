//! Message authentication under a key version: what makes the audit chain more than a checksum.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hkdf;
use crate::secret::KeyBytes;

/// An HMAC-SHA-256 key (RFC 2104), derived from a key version. Cheap to clone.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Derives the MAC key that `label` names.
    pub(crate) fn derive(key: &KeyBytes, label: &str) -> Self {
        let key = hkdf::derive(key, label);
        Self(Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length"))
    }

    /// A key of its own for the use that `label` names: HMAC is a pseudorandom function, so who learns MACs of the one
    /// key learns nothing of the other. Labels are listed in the crate's documentation.
    #[must_use]
    pub fn for_use(&self, label: &str) -> Self {
        let key = KeyBytes::new(self.mac(label.as_bytes()));
        Self(Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length"))
    }

    /// Whether `mac` is that of `message`, in constant time.
    #[must_use]
    pub fn is_mac(&self, message: &[u8], mac: &[u8]) -> bool {
        let mut own = self.0.clone();
        own.update(message);
        own.verify_slice(mac).is_ok()
    }

    /// The MAC of `message`. Compare such values in constant time where an attacker can try many.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}
