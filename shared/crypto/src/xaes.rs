//! XAES-256-GCM as <https://c2sp.org/XAES-256-GCM> specifies it: AES-256-GCM with 192-bit nonces.
//!
//! A 96-bit nonce may not be drawn at random for ever: replicas would have to count together. Here the
//! first half of the nonce derives a key of its own and the second half is that key's GCM nonce, so 2^80
//! messages under one key may use random nonces.
//!
//! ```text
//! L  = AES(K, 0^128)                    K1 = L doubled in GF(2^128), as in CMAC
//! M1 = 00 01 58 00 ‖ N[..12]            M2 = 00 02 58 00 ‖ N[..12]
//! Kx = AES(K, M1 ^ K1) ‖ AES(K, M2 ^ K1)
//! ciphertext ‖ tag = AES-256-GCM(Kx, N[12..], plaintext, aad)
//! ```

use std::fmt;

use aes::Aes256Enc;
use aes::cipher::consts::U12;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, AesGcm};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, Result};

/// Length of a nonce in bytes.
pub(crate) const NONCE_BYTES: usize = 24;

/// Length of a tag in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// A key, ready for use: the AES key schedule and K1 are computed once.
pub struct Xaes {
    cipher: Aes256Enc,
    k1: Zeroizing<[u8; 16]>,
}

impl Xaes {
    /// Prepares the key K.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let cipher = Aes256Enc::new(key.into());
        let mut l = Array::from([0; 16]);
        cipher.encrypt_block(&mut l);
        let k1 = Zeroizing::new(double(l.into()));
        l.zeroize();
        Self { cipher, k1 }
    }

    /// Encrypts `plaintext` to ciphertext ‖ tag, 16 bytes longer than it.
    ///
    /// The nonce must be random, or otherwise never repeat under this key.
    ///
    /// # Panics
    /// If plaintext or AAD have 64 GiB or more.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        self.seal_into(nonce, aad, plaintext, &mut sealed);
        sealed
    }

    /// [`Xaes::seal`] appending to `output`.
    ///
    /// Reserve the room before, or growing `output` copies it. No plaintext stays in it either way.
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
        let (gcm, gcm_nonce) = self.derive(nonce);
        let tag = gcm
            .encrypt_inout_detached(gcm_nonce.into(), aad, (&mut output[start..]).into())
            .expect("GCM refuses only messages of 64 GiB and more");
        output.extend_from_slice(&tag);
    }

    /// Decrypts ciphertext ‖ tag.
    ///
    /// # Errors
    /// [`Error::Open`] if anything (key, nonce, AAD, a byte) differs from what was sealed.
    pub fn open(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(Error::Open)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let (gcm, gcm_nonce) = self.derive(nonce);
        gcm.decrypt_inout_detached(gcm_nonce.into(), aad, plaintext.as_mut_slice().into(), tag.into())
            .map_err(|_| Error::Open)?;
        Ok(plaintext)
    }

    /// The GCM key (Kx) and nonce that belong to `nonce`.
    fn derive<'n>(&self, nonce: &'n [u8; NONCE_BYTES]) -> (Gcm, &'n [u8; 12]) {
        let (head, tail) = nonce.split_at(12);
        let mut key = DerivedKey([0; 32]);
        for (counter, half) in (1..).zip(key.0.chunks_exact_mut(16)) {
            let mut block = Array::from([0; 16]);
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(head);
            for (byte, mask) in block.iter_mut().zip(self.k1.iter()) {
                *byte ^= mask;
            }
            self.cipher.encrypt_block(&mut block);
            half.copy_from_slice(&block);
            block.zeroize();
        }
        let tail = tail.try_into().expect("24 bytes less 12 are 12");
        (Gcm::new((&key.0).into()), tail)
    }
}

impl fmt::Debug for Xaes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xaes([redacted])")
    }
}

/// AES-256-GCM without the decryption key schedule, which GCM has no use for.
type Gcm = AesGcm<Aes256Enc, U12>;

/// Kx.
#[derive(Zeroize, ZeroizeOnDrop)]
struct DerivedKey([u8; 32]);

/// Doubling in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, without a branch on the secret.
fn double(l: [u8; 16]) -> [u8; 16] {
    let l = u128::from_be_bytes(l);
    let carry = l >> 127;
    ((l << 1) ^ (carry.wrapping_neg() & 0x87)).to_be_bytes()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NONCE: &[u8; 24] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

    /// The two vectors of the specification: the first doubles without a carry, the second with one.
    #[test]
    fn specification_vectors() {
        let table = [
            (
                [0x01; 32],
                "",
                "e531954aca063d5b8d9c47a47d4cc6f0",
                "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
            ),
            (
                [0x03; 32],
                "c2sp.org/XAES-256-GCM",
                "23810ec50edb99f374409466ed1f4b7b",
                "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
            ),
        ];
        for (key, aad, k1, sealed) in table {
            let xaes = Xaes::new(&key);
            assert_eq!(hex::encode(*xaes.k1), k1);
            let ours = xaes.seal(NONCE, aad.as_bytes(), b"XAES-256-GCM");
            assert_eq!(hex::encode(&ours), sealed);
            let opened = xaes.open(NONCE, aad.as_bytes(), &ours).unwrap();
            assert_eq!(*opened, b"XAES-256-GCM");
        }
    }

    #[test]
    fn doubling() {
        let l = |text: &str| <[u8; 16]>::try_from(hex::decode(text).unwrap()).unwrap();
        let table = [
            ("7298caa565031eadc6ce23d23ea66378", "e531954aca063d5b8d9c47a47d4cc6f0"),
            ("91c08762876dccf9ba204a33768fa5fe", "23810ec50edb99f374409466ed1f4b7b"),
        ];
        for (from, to) in table {
            assert_eq!(double(l(from)), l(to));
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
