//! The root key wraps the key ring. An operator keeps it; the vault never stores it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::lower_hex::is_lower_hex;
use crate::mac::MacKey;
use crate::secret::KeyBytes;
use crate::{hkdf, random};

/// Prefix of a root key's text form.
const PREFIX: &str = "base64:";

/// Length of 32 bytes in padded base64, in characters.
const BASE64_CHARS: usize = 44;

/// 32 bytes from which all wrapping keys are derived. Never used directly as a key.
pub struct RootKey {
    key: KeyBytes,
    id: RootKeyId,
}

impl RootKey {
    /// A new random root key.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(random::key())
    }

    /// Parses the text form: `base64:` and 44 characters of standard base64. Surrounding white space is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::RootKeyForm`] for anything else. The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(Error::RootKeyForm)?;
        if encoded.len() != BASE64_CHARS {
            return Err(Error::RootKeyForm);
        }
        // One byte longer than a key: the decoder needs room for three bytes per four characters.
        let mut decoded = Zeroizing::new([0; 33]);
        let length =
            STANDARD.decode_slice(encoded, decoded.as_mut_slice()).map_err(|_| Error::RootKeyForm)?;
        if length != 32 {
            return Err(Error::RootKeyForm);
        }
        let mut key = KeyBytes::new([0; 32]);
        key.expose_mut().copy_from_slice(&decoded[..32]);
        Ok(Self::new(key))
    }

    fn new(key: KeyBytes) -> Self {
        let mut id = [0; 8];
        hkdf::derive_into(&key, "strongroom/v1/root/id", &mut id);
        let id = RootKeyId(hex::encode(id));
        Self { key, id }
    }

    /// The text that [`RootKey::parse`] reads, without a line ending. Only for the file of a new root key.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // Allocated with its final capacity: growing would leave a copy of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + BASE64_CHARS));
        text.push_str(PREFIX);
        STANDARD.encode_string(self.key.expose(), &mut text);
        text
    }

    /// The public id of this root key, derived from it.
    #[must_use]
    pub fn id(&self) -> RootKeyId {
        self.id.clone()
    }

    /// The value that a new vault stores to recognise its root key. It reveals nothing about the key.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        *self.derive("check").expose()
    }

    /// Compares [`RootKey::check_value`] with the stored one, in constant time.
    ///
    /// # Errors
    /// [`Error::WrongRootKey`] if they differ, including in length.
    pub fn verify_check_value(&self, stored: &[u8]) -> Result<()> {
        let equal: bool = self.check_value().ct_eq(stored).into();
        if !equal {
            return Err(Error::WrongRootKey { given: self.id() });
        }
        Ok(())
    }

    /// Authenticates the states of key versions: a ring key cannot authenticate its own state.
    #[must_use]
    pub fn state_key(&self) -> MacKey {
        MacKey::new(&self.derive("states"))
    }

    /// Authenticates states, times and the deployment's id in an archive's ring.
    #[must_use]
    pub fn ring_key(&self) -> MacKey {
        MacKey::new(&self.derive("ring"))
    }

    /// The key for one use of the root key; `label` follows `strongroom/v1/root/`.
    pub(crate) fn derive(&self, label: &str) -> KeyBytes {
        hkdf::derive(&self.key, &format!("strongroom/v1/root/{label}"))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey([redacted])")
    }
}

/// Public id of a root key: 64 bits derived from it, as 16 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootKeyId(String);

impl RootKeyId {
    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RootKeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if !is_lower_hex(text, 16) {
            return Err(Error::Malformed {
                what: "root key id",
                expected: "16 lower-case hexadecimal digits",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ONES: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    #[test]
    fn text_form() {
        let good = [ONES.to_owned(), format!("  {ONES}\r\n")];
        for text in good {
            let root = RootKey::parse(&text).unwrap();
            assert_eq!(root.key.expose(), &[1; 32]);
            assert_eq!(*root.to_text(), ONES);
        }
        let bad = [
            "",
            "base64:",
            // No prefix, another prefix, a space after the prefix.
            &ONES[7..],
            "hex:0101010101010101010101010101010101010101010101010101010101010101",
            "base64: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
            // No padding; 31, 33 and 30 bytes; unused bits set; the other alphabet; not ASCII.
            &ONES[..50],
            "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==",
            "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
            "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
            "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=",
            "base64:__________________________________________8=",
            "base64:éééééééééééééééééééééé",
        ];
        for text in bad {
            let error = RootKey::parse(text).unwrap_err();
            assert_eq!(error, Error::RootKeyForm, "{text}");
        }
    }

    #[test]
    fn the_form_error_does_not_echo() {
        let message = RootKey::parse("base64:hunter2").unwrap_err().to_string();
        assert!(message.contains("`base64:` and 44 characters"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn wrong_root_key() {
        let root = RootKey::parse(ONES).unwrap();
        let stored = root.check_value();
        root.verify_check_value(&stored).unwrap();

        let other = RootKey::generate();
        let message = other.verify_check_value(&stored).unwrap_err().to_string();
        assert!(
            message.starts_with("the root key given is not the one this vault was created with"),
            "{message}"
        );
        assert!(message.contains(other.id().as_str()), "{message}");
        assert!(root.verify_check_value(&stored[..31]).is_err());
        assert!(root.verify_check_value(&[]).is_err());
    }

    #[test]
    fn uses_do_not_share_keys() {
        let root = RootKey::parse(ONES).unwrap();
        let check = root.check_value();
        assert_ne!(root.derive("wrap").expose(), &check);
        assert_ne!(hex::encode(&check[..8]), root.id().as_str());
        assert_ne!(check, [1; 32]);
        assert_eq!(root.id().as_str().parse::<RootKeyId>().unwrap(), root.id());
        assert!("ABCDEF0123456789".parse::<RootKeyId>().is_err());
    }
}
