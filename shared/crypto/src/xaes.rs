//! XAES-256-GCM as specified in <https://c2sp.org/XAES-256-GCM>: AES-256-GCM with 192-bit nonces.
//!
//! 96-bit nonces cannot be chosen at random indefinitely: replicas would need a shared counter. Here the
//! first half of the nonce is used to derive a separate key, and the second half is that key's GCM nonce, so
//! 2^80 messages under one key can use random nonces.
//!
//! RustCrypto's crate implements the cipher and wipes derived keys. This module wraps it in this crate's
//! types, so that no plaintext is left in a buffer and errors only say that a value does not open. All
//! vectors of the specification are tested here, because a stored value outlives every release of the crate.

use std::fmt;

use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{AeadInOut, KeyInit};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Length of a nonce in bytes.
pub(crate) const NONCE_BYTES: usize = 24;

/// Length of a tag in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// A prepared key: the AES key schedule is computed once.
pub struct Xaes(Xaes256Gcm);

impl Xaes {
    /// Prepares the key K.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Xaes256Gcm::new(key.into()))
    }

    /// Encrypts `plaintext` to ciphertext ‖ tag, which is 16 bytes longer.
    ///
    /// The nonce must be random, or otherwise never repeat with this key.
    ///
    /// # Panics
    /// If the plaintext or the AAD has 64 GiB or more.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        self.seal_into(nonce, aad, plaintext, &mut sealed);
        sealed
    }

    /// Like [`Xaes::seal`], but appends to `output`.
    ///
    /// Reserve the capacity beforehand, or `output` is copied as it grows. In either case no plaintext
    /// remains in it.
    pub(crate) fn seal_into(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        plaintext: &[u8],
        output: &mut Vec<u8>,
    ) {
        output.reserve(plaintext.len() + TAG_BYTES);
        let start = output.len();
        output.extend_from_slice(plaintext);
        let sealed = self.0.encrypt_inout_detached(nonce.into(), aad, (&mut output[start..]).into());
        output.extend_from_slice(&sealed.expect("GCM refuses only messages of 64 GiB and more"));
    }

    /// Decrypts ciphertext ‖ tag.
    ///
    /// # Errors
    /// [`Error::Open`] if anything (key, nonce, AAD, a byte) differs from the sealed original.
    pub fn open(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(Error::Open)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let opened =
            self.0.decrypt_inout_detached(nonce.into(), aad, plaintext.as_mut_slice().into(), tag.into());
        opened.map_err(|_| Error::Open)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for Xaes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xaes([redacted])")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NONCE: &[u8; 24] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

    /// The two vectors of the specification: in the first, doubling in GF(2^128) has no carry, in the second
    /// it has one.
    #[test]
    fn specification_vectors() {
        let table = [
            ([0x01; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            ([0x03; 32], "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ];
        for (key, aad, sealed) in table {
            let xaes = Xaes::new(&key);
            let ours = xaes.seal(NONCE, aad.as_bytes(), b"XAES-256-GCM");
            assert_eq!(hex::encode(&ours), sealed);
            let opened = xaes.open(NONCE, aad.as_bytes(), &ours).unwrap();
            assert_eq!(*opened, b"XAES-256-GCM");
        }
    }

    #[test]
    fn what_differs_does_not_open() {
        let xaes = Xaes::new(&[7; 32]);
        let sealed = xaes.seal(NONCE, b"aad", b"");
        assert!(xaes.open(NONCE, b"aad", &sealed).unwrap().is_empty());
        assert_eq!(xaes.open(NONCE, b"", &sealed), Err(Error::Open));
        assert_eq!(xaes.open(&[0; 24], b"aad", &sealed), Err(Error::Open));
        assert_eq!(xaes.open(NONCE, b"aad", &sealed[..15]), Err(Error::Open));
        assert_eq!(xaes.open(NONCE, b"aad", b""), Err(Error::Open));
        let other = Xaes::new(&[8; 32]);
        assert_eq!(other.open(NONCE, b"aad", &sealed), Err(Error::Open));
    }
}
