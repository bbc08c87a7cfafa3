//! The body shared by sealed values and wrapped keys: nonce, key commitment, ciphertext and tag,
//! base64-encoded in text forms.
//!
//! The commitment is needed because GCM does not commit to its key: with several key versions in use, a
//! chosen ciphertext could open under two of them. It depends only on the key and the nonce.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::mac::MacKey;
use crate::secret::{KeyBytes, SecretBytes};
use crate::xaes::{NONCE_BYTES, TAG_BYTES, Xaes};
use crate::{hkdf, random};

/// Length of a key commitment in bytes.
const COMMITMENT_BYTES: usize = 32;

/// Number of bytes that a body adds to its plaintext.
const OVERHEAD_BYTES: usize = NONCE_BYTES + COMMITMENT_BYTES + TAG_BYTES;

/// Number of base64 characters of the body of `plaintext` bytes.
pub(crate) const fn text_len(plaintext: usize) -> usize {
    ((plaintext + OVERHEAD_BYTES) * 4).div_ceil(3)
}

/// A key that seals bodies, with its two derived keys.
pub(crate) struct SealingKey {
    xaes: Xaes,
    commitment: MacKey,
}

impl SealingKey {
    /// Derives both keys from `key`.
    pub(crate) fn derive(key: &KeyBytes) -> Self {
        let encryption = hkdf::derive(key, "strongroom/v1/encryption");
        let commitment = MacKey::derive(key, "strongroom/v1/commitment");
        Self { xaes: Xaes::new(encryption.expose()), commitment }
    }

    /// Seals `plaintext` under a fresh nonce and appends the body to `text`.
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8], text: &mut String) {
        URL_SAFE_NO_PAD.encode_string(self.seal_body(aad, plaintext), text);
    }

    /// Seals `plaintext` under a fresh nonce and returns the binary body.
    pub(crate) fn seal_body(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce = random::bytes();
        let mut body = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
        body.extend_from_slice(&nonce);
        body.extend_from_slice(&self.commit(&nonce));
        self.xaes.seal_into(&nonce, aad, plaintext, &mut body);
        body
    }

    /// Opens a body.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the cause.
    pub(crate) fn open(&self, aad: &[u8], text: &str) -> Result<SecretBytes> {
        let body = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Open)?;
        self.open_body(aad, &body)
    }

    /// Opens a binary body.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the cause.
    pub(crate) fn open_body(&self, aad: &[u8], body: &[u8]) -> Result<SecretBytes> {
        let (nonce, rest) = body.split_first_chunk().ok_or(Error::Open)?;
        let (commitment, sealed) = rest.split_first_chunk::<COMMITMENT_BYTES>().ok_or(Error::Open)?;
        let committed: bool = self.commit(nonce).ct_eq(commitment).into();
        if !committed {
            return Err(Error::Open);
        }
        Ok(self.xaes.open(nonce, aad, sealed)?.into())
    }

    fn commit(&self, nonce: &[u8; NONCE_BYTES]) -> [u8; COMMITMENT_BYTES] {
        self.commitment.mac(nonce)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bodies_open_under_their_key_only() {
        let key = SealingKey::derive(&KeyBytes::new([1; 32]));
        let other = SealingKey::derive(&KeyBytes::new([2; 32]));
        for plaintext in [&b""[..], b"x", &[0; 1000]] {
            let mut text = String::new();
            key.seal(b"aad", plaintext, &mut text);
            assert_eq!(text.len(), text_len(plaintext.len()));
            assert_eq!(key.open(b"aad", &text).unwrap().expose(), plaintext);
            assert!(key.open(b"", &text).is_err());
            assert!(other.open(b"aad", &text).is_err());
        }
    }

    /// A body with correct ciphertext and tag but the commitment of another key must not open.
    #[test]
    fn the_commitment_is_checked() {
        let key = SealingKey::derive(&KeyBytes::new([1; 32]));
        let other = SealingKey::derive(&KeyBytes::new([2; 32]));
        let nonce = [9; NONCE_BYTES];
        let mut open = Vec::new();
        for commitment in [key.commit(&nonce), other.commit(&nonce)] {
            let mut body = nonce.to_vec();
            body.extend_from_slice(&commitment);
            key.xaes.seal_into(&nonce, b"", b"plain", &mut body);
            open.push(key.open(b"", &URL_SAFE_NO_PAD.encode(&body)).is_ok());
        }
        assert_eq!(open, [true, false]);
    }

    #[test]
    fn only_one_text_opens() {
        let key = SealingKey::derive(&KeyBytes::new([1; 32]));
        let mut text = String::new();
        key.seal(b"", b"12", &mut text);
        assert_eq!(text.len() % 4, 3, "the last character has unused bits");
        let unused_bit_set = {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let last = text.as_bytes()[text.len() - 1];
            let index = alphabet.iter().position(|byte| *byte == last).unwrap();
            format!("{}{}", &text[..text.len() - 1], char::from(alphabet[index | 1]))
        };
        for changed in [unused_bit_set, format!("{text}="), format!("{text}\n"), format!(" {text}")] {
            assert!(key.open(b"", &changed).is_err(), "{changed}");
        }
        assert!(key.open(b"", "").is_err());
        assert!(key.open(b"", &text[..40]).is_err());
    }
}
