//! Values stored by Laravel's encrypter.
//!
//! Base64 of a JSON object with `iv`, `value`, `mac` and `tag`. AES-256-GCM sets `tag` (16 bytes) and leaves
//! `mac` empty; AES-256-CBC sets `mac`, an HMAC-SHA-256 under the same key over the text of `iv` and `value`,
//! in hexadecimal digits. Neither the cipher nor the key is named; the cipher follows from which field is
//! set.

pub(crate) mod fault;

use aes::Aes256;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use strongroom_crypto::SecretBytes;

use crate::app_key::AppKey;
pub use fault::PayloadFault;

const GCM_IV_BYTES: usize = 12;
const CBC_IV_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// The start of every value: `{"iv":"` in base64.
const START: &str = "eyJpdiI6";

#[derive(Deserialize)]
struct Payload {
    iv: String,
    value: String,
    #[serde(default)]
    mac: Option<String>,
    #[serde(default)]
    tag: Option<String>,
}

/// Whether `text` looks like a value that Laravel encrypted, judged by its first bytes.
pub fn looks_encrypted(text: &str) -> bool {
    text.starts_with(START)
}

impl AppKey {
    /// The plaintext of a value, decrypted with the current key or an earlier one.
    ///
    /// `encrypt()` wraps a text in PHP's serialisation and the `encrypted` cast does not; both yield the
    /// text.
    ///
    /// # Errors
    /// See [`PayloadFault`]. A wrong key and a changed value cannot be distinguished.
    pub fn open(&self, value: &str) -> Result<SecretBytes, PayloadFault> {
        let json = STANDARD.decode(value.trim()).map_err(|_| PayloadFault::NotPayload)?;
        let payload = serde_json::from_slice::<Payload>(&json).map_err(|_| PayloadFault::NotPayload)?;
        let mut fault = PayloadFault::NotPayload;
        for key in self.candidates() {
            match payload.open(key.expose()) {
                Ok(plain) => return Ok(unserialised(plain)),
                Err(PayloadFault::Mac) => fault = PayloadFault::Mac,
                Err(PayloadFault::Tag) => fault = PayloadFault::Tag,
                Err(other) => return Err(other),
            }
        }
        Err(fault)
    }
}

impl Payload {
    fn open(&self, key: &[u8]) -> Result<SecretBytes, PayloadFault> {
        let iv = decode(&self.iv)?;
        let tag = self.tag.as_deref().unwrap_or_default();
        let mac = self.mac.as_deref().unwrap_or_default();
        match (iv.len(), tag, mac) {
            (GCM_IV_BYTES, tag, "") if !tag.is_empty() => self.open_gcm(key, &iv, tag),
            (CBC_IV_BYTES, "", mac) if !mac.is_empty() => self.open_cbc(key, &iv, mac),
            _ => Err(PayloadFault::UnknownCipher),
        }
    }

    fn open_gcm(&self, key: &[u8], iv: &[u8], tag: &str) -> Result<SecretBytes, PayloadFault> {
        let (mut sealed, tag) = (decode(&self.value)?, decode(tag)?);
        // A shorter tag is weaker, and Laravel never makes one.
        if tag.len() != TAG_BYTES {
            return Err(PayloadFault::Tag);
        }
        sealed.extend_from_slice(&tag);
        let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| PayloadFault::UnknownCipher)?;
        let nonce = iv.try_into().map_err(|_| PayloadFault::UnknownCipher)?;
        cipher.decrypt(nonce, sealed.as_slice()).map(SecretBytes::new).map_err(|_| PayloadFault::Tag)
    }

    fn open_cbc(&self, key: &[u8], iv: &[u8], mac: &str) -> Result<SecretBytes, PayloadFault> {
        let mut expected = Hmac::<Sha256>::new_from_slice(key).map_err(|_| PayloadFault::Mac)?;
        expected.update(self.iv.as_bytes());
        expected.update(self.value.as_bytes());
        let mac = hex::decode(mac).map_err(|_| PayloadFault::Mac)?;
        expected.verify_slice(&mac).map_err(|_| PayloadFault::Mac)?;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv);
        let cipher = cipher.map_err(|_| PayloadFault::UnknownCipher)?;
        let plain = cipher.decrypt_padded_vec::<Pkcs7>(&decode(&self.value)?);
        plain.map(SecretBytes::new).map_err(|_| PayloadFault::Padding)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, PayloadFault> {
    STANDARD.decode(text).map_err(|_| PayloadFault::NotPayload)
}

/// The text inside `s:<bytes>:"<text>";`, or the whole plaintext if it does not have exactly this form.
fn unserialised(plain: SecretBytes) -> SecretBytes {
    let text = || {
        let rest = plain.expose().strip_prefix(b"s:")?;
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let text = rest[colon..].strip_prefix(b":\"")?.strip_suffix(b"\";")?;
        (text.len() == length).then(|| SecretBytes::new(text.to_vec()))
    };
    text().unwrap_or(plain)
}

#[cfg(test)]
mod tests;
