//! A writer of `.geb` files that follows Gatwy's layout and shares only the primitives with the reader.

use std::collections::HashMap;
use std::io::Cursor;

use aes::Aes256;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use strongroom_crypto::SecretBytes;

use super::super::{Geb, keys};
use crate::error::Result;

pub(super) const ENCRYPTED_RECORDING: &str = "8663b1b858e8fe4bdc1289a6f3b26f86b2fe8b9e372558fb2ab669fb";

/// The content of a file. Every part can be made invalid.
pub(super) struct Sample {
    pub(super) manifest: Option<String>,
    pub(super) version: u64,
    pub(super) database: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) recordings: Vec<(String, u64)>,
    pub(super) data: Vec<u8>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let database = b"SQLite format 3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        let (recordings, data, extra) = (Vec::new(), Vec::new(), Vec::new());
        Self { manifest: None, version: 1, database, extra, recordings, data }
    }

    pub(super) fn recording(mut self, name: &str, data: &[u8]) -> Self {
        self.recordings.push((name.to_owned(), data.len() as u64));
        self.data.extend_from_slice(data);
        self
    }

    /// Adds a recording to the list only.
    pub(super) fn listed(mut self, name: &str, bytes: u64) -> Self {
        self.recordings.push((name.to_owned(), bytes));
        self
    }

    fn manifest(&self) -> String {
        let recordings = self.recordings.iter().map(|(name, bytes)| {
            format!("{{\"name\":{},\"size\":{bytes}}}", serde_json::to_string(name).unwrap())
        });
        format!(
            "{{\"version\":{},\"exportedAt\":\"2026-01-01T00:00:00.000Z\",\"dbSize\":{},\"recordings\":[{}],\
             \"encryptionKeyHex\":\"{}\"}}",
            self.version,
            self.database.len(),
            recordings.collect::<Vec<_>>().join(","),
            "11".repeat(32)
        )
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let manifest = self.manifest.clone().unwrap_or_else(|| self.manifest());
        let length = u32::try_from(manifest.len()).unwrap().to_le_bytes();
        [&length[..], manifest.as_bytes(), &self.database, &self.data, &self.extra].concat()
    }

    /// The file with keys that are quick to derive, which [`open`] can open.
    pub(super) fn build(&self) -> Vec<u8> {
        seal(self.payload(), quick)
    }
}

/// The file of the vector, with Gatwy's own key derivation.
pub(super) fn vector() -> Vec<u8> {
    let payload = Sample::new().recording("a.cast", b"rec-one-data").payload();
    seal(payload, |salt| keys::derive(&SecretBytes::new(b"correct horse".to_vec()), salt))
}

/// A file with this payload, which [`open`] can open.
pub(super) fn seal_quickly(payload: Vec<u8>) -> Vec<u8> {
    seal(payload, quick)
}

fn seal(mut payload: Vec<u8>, derive: impl Fn(&[u8; 32]) -> SecretBytes) -> Vec<u8> {
    let salt = |first: u8| -> [u8; 32] { std::array::from_fn(|at| first + u8::try_from(at).unwrap()) };
    let (encryption_salt, mac_salt) = (salt(0x00), salt(0x80));
    let counter: [u8; 16] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let key = derive(&encryption_salt);
    ctr::Ctr128BE::<Aes256>::new_from_slices(key.expose(), &counter).unwrap().apply_keystream(&mut payload);
    let mut file = [&b"ALTBAK\x01"[..], &encryption_salt, &counter, &mac_salt, &payload].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(derive(&mac_salt).expose()).unwrap();
    mac.update(&file);
    file.extend_from_slice(&mac.finalize().into_bytes());
    file
}

/// One round: a test with thousands of damaged files cannot wait for 200,000 rounds of PBKDF2.
pub(super) fn quick(salt: &[u8; 32]) -> SecretBytes {
    keys::derive_in(1, &SecretBytes::new(b"correct horse".to_vec()), salt)
}

/// Opens a file made by [`Sample::build`].
pub(super) fn open(file: &[u8]) -> Result<Geb<Cursor<Vec<u8>>>> {
    Geb::open_with(Cursor::new(file.to_vec()), &mut quick)
}

/// Caches Gatwy's full derivation for the sample's two salts; for other salts uses the quick one.
pub(super) fn remembered() -> impl FnMut(&[u8; 32]) -> SecretBytes {
    let mut known: HashMap<[u8; 32], Vec<u8>> = HashMap::new();
    let passphrase = SecretBytes::new(b"correct horse".to_vec());
    for first in [0x00, 0x80] {
        let salt: [u8; 32] = std::array::from_fn(|at| first + u8::try_from(at).unwrap());
        known.insert(salt, keys::derive(&passphrase, &salt).expose().to_vec());
    }
    move |salt| known.get(salt).map_or_else(|| quick(salt), |key| SecretBytes::new(key.clone()))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
