//! The vault's key ring outside the vault, for tests that seal many rows like the vault.

use serde_json::Value;
use strongroom_crypto::{KeyRing, RootKey, WrappedVersion};

/// Opens an archive's `keys/ring.json`, limited to the versions whose bytes it contains.
///
/// # Panics
/// If `root` is not the key that wraps it.
#[must_use]
pub fn open_ring(root: &RootKey, json: &[u8]) -> KeyRing {
    let document: Value = serde_json::from_slice(json).unwrap();
    let root_key_id = document["root_key_id"].as_str().unwrap();
    let versions = document["versions"].as_array().unwrap().iter();
    let versions: Vec<WrappedVersion> = versions
        .filter(|version| version["wrapped"].is_string())
        .map(|one| wrapped(one, root_key_id))
        .collect();
    KeyRing::open(&[root], &versions).unwrap()
}

fn wrapped(version: &Value, root_key_id: &str) -> WrappedVersion {
    let text = |field: &str| version[field].as_str().unwrap();
    WrappedVersion {
        key_id: text("key_id").to_owned(),
        purpose: text("purpose").parse().unwrap(),
        kid: text("kid").parse().unwrap(),
        number: version["number"].as_u64().unwrap().try_into().unwrap(),
        state: text("state").parse().unwrap(),
        root_key_id: root_key_id.parse().unwrap(),
        wrapped: text("wrapped").to_owned(),
    }
}
