//! age files assembled by hand: for files that no writer produces, and as a second implementation of the
//! format.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The file key of every raw file.
pub(crate) const FILE_KEY: [u8; 16] = *b"YELLOW SUBMARINE";

/// A header with these stanza lines and a correct MAC.
pub(crate) fn header(stanzas: &str) -> Vec<u8> {
    let covered = format!("age-encryption.org/v1\n{stanzas}---");
    let mac = Hmac::<Sha256>::new_from_slice(&derive(&[], b"header")).unwrap();
    let mac = mac.chain_update(&covered).finalize().into_bytes();
    format!("{covered} {}\n", base64(&mac)).into_bytes()
}

/// Plaintexts of chunks, each with a flag that claims it to be the last.
pub(crate) type Chunks<'a> = &'a [(&'a [u8], bool)];

/// A payload of these chunks, numbered from 0.
pub(crate) fn payload(chunks: Chunks<'_>) -> Vec<u8> {
    let mut payload = vec![0x11; 16];
    let cipher = ChaCha20Poly1305::new((&derive(&[0x11; 16], b"payload")).into());
    for (number, (plaintext, last)) in chunks.iter().enumerate() {
        let mut nonce = Nonce::default();
        nonce[10] = number as u8;
        nonce[11] = u8::from(*last);
        payload.extend(cipher.encrypt(&nonce, *plaintext).unwrap());
    }
    payload
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

fn derive(salt: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), &FILE_KEY).expand(info, &mut key).unwrap();
    key
}
