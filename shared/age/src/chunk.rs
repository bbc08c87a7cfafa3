//! The payload's chunks: `STREAM` of ChaCha20-Poly1305, 64 KiB each.
//!
//! The nonce contains the chunk's number and whether it is the last, so no chunk can be moved, omitted or
//! made the end. Nonces are not random but never repeat, because each payload key is used for one file.
//!
//! One core of an AMD EPYC with AVX2 seals 1.5 GB/s and opens 1.4 GB/s (`benches/seal.rs`): about a tenth of
//! the time that deflate takes to produce the same bytes.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Nonce};

/// Plaintext bytes of every chunk but the last, which has 1 to this many, or none if it is the only chunk.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Length of the tag after each chunk.
pub(crate) const TAG_BYTES: usize = 16;

/// Length of a full chunk in the file.
pub(crate) const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Number of random bytes between header and first chunk, from which the payload key is derived.
pub(crate) const PAYLOAD_NONCE_BYTES: usize = 16;

/// Seals and opens the chunks of one file.
pub(crate) struct ChunkCipher(ChaCha20Poly1305);

impl ChunkCipher {
    pub(crate) fn new(cipher: ChaCha20Poly1305) -> Self {
        Self(cipher)
    }

    /// Encrypts a chunk in place and appends the tag.
    pub(crate) fn seal(&self, number: u64, last: bool, chunk: &mut Vec<u8>) {
        let sealed = self.0.encrypt_in_place(&nonce(number, last), &[], chunk);
        sealed.expect("64 KiB are far below the cipher's limit, and a vector grows");
    }

    /// Decrypts a chunk in place and removes the tag. Returns false, leaving the bytes unchanged, if they do
    /// not verify as this chunk.
    pub(crate) fn open(&self, number: u64, last: bool, chunk: &mut Vec<u8>) -> bool {
        self.0.decrypt_in_place(&nonce(number, last), &[], chunk).is_ok()
    }
}

/// The number in eleven bytes, big-endian, and one byte that marks the last chunk.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}
