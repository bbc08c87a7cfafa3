//! Keys and their versions: the verbs of `KeyService`, and the ring as archives carry it.
//!
//! `columns` names what our keys seal, `reload` keeps the open ring the stored one, `retire` and `requests`
//! take versions out of use, `census` and `pins` say who needs them, `reencrypt` moves values to the primary
//! versions, and `root` changes the root key.

mod census;
pub(crate) mod columns;
mod pins;
mod reencrypt;
mod reload;
mod requests;
mod retire;
mod root;

use strongroom_crypto::{KeyVersion, Purpose, RootKey, WrappedVersion};
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::store::{KeyVersionRow, NewVersion};
use crate::vault::Vault;

pub(crate) use census::Census;
pub(crate) use reencrypt::{Jobs, Progress};
pub(crate) use root::change_root_key;

/// Seals `credentials.secret`.
pub(crate) const CREDENTIAL_KEY: &str = strongroom_api::limits::CREDENTIAL_KEY;
/// Chains the audit log.
pub(crate) const AUDIT_KEY: &str = "audit";
/// Seals page tokens.
pub(crate) const PAGE_KEY: &str = "page";
/// Signs archive manifests.
pub(crate) const SIGNING_KEY: &str = "signing";

/// Names that no caller's key may have.
const OWN_NAMES: &[&str] = &[CREDENTIAL_KEY, AUDIT_KEY, PAGE_KEY, SIGNING_KEY, "caller"];

/// First versions of the keys that a vault starts with.
pub(crate) fn first_versions(root: &RootKey, now: i64) -> Vec<KeyVersionRow> {
    [
        (CREDENTIAL_KEY, Purpose::Credential),
        (AUDIT_KEY, Purpose::Audit),
        (PAGE_KEY, Purpose::Page),
        (SIGNING_KEY, Purpose::Signing),
    ]
    .into_iter()
    .map(|(key_id, purpose)| new_version(root, key_id, purpose, now))
    .collect()
}

/// The first version of a key; the store gives later ones their number.
fn new_version(root: &RootKey, key_id: &str, purpose: Purpose, now: i64) -> KeyVersionRow {
    row(KeyVersion::create(root, key_id, purpose, 1), now)
}

fn row(version: WrappedVersion, create_time: i64) -> KeyVersionRow {
    KeyVersionRow {
        kid: version.kid.to_string(),
        key_id: version.key_id,
        purpose: version.purpose.to_string(),
        number: i64::from(version.number),
        state: version.state.to_string(),
        root_key_id: version.root_key_id.to_string(),
        wrapped: version.wrapped,
        create_time,
        destroy_time: None,
        destroy_approved: false,
    }
}

impl Vault {
    /// Every version of every key, without its wrapped bytes.
    pub(crate) async fn key_versions(&self) -> Result<Vec<KeyVersionRow>> {
        let mut versions = self.store.key_versions().await?;
        for version in &mut versions {
            version.wrapped.clear();
        }
        Ok(versions)
    }

    pub(crate) async fn key_version(&self, kid: &str) -> Result<KeyVersionRow> {
        let found = self.key_versions().await?.into_iter().find(|version| version.kid == kid);
        found.ok_or_else(|| Error::KeyVersionNotFound(kid.to_owned()))
    }

    /// The versions of a key, by number; there is at least one.
    async fn versions_of(&self, key_id: &str) -> Result<Vec<KeyVersionRow>> {
        let mut versions = self.key_versions().await?;
        versions.retain(|version| version.key_id == key_id);
        if versions.is_empty() {
            return Err(Error::KeyNotFound(key_id.to_owned()));
        }
        Ok(versions)
    }

    /// A key for callers.
    pub(crate) async fn create_key(&self, caller: &Caller, key_id: &str) -> Result<KeyVersionRow> {
        if OWN_NAMES.contains(&key_id) {
            return Err(Error::KeyExists(key_id.to_owned()));
        }
        let version = new_version(self.ring.root(), key_id, Purpose::Caller, self.now());
        let event = self.event(caller, "key.created", key_id).with("kid", version.kid.as_str()).finish();
        let created = self.store.create_key(&version, &event).await?;
        self.use_new_version(&version, created).await
    }

    /// A new primary version of any key.
    pub(crate) async fn rotate_key(&self, caller: &Caller, key_id: &str) -> Result<KeyVersionRow> {
        let purpose = self.versions_of(key_id).await?[0].purpose.parse()?;
        let version = new_version(self.ring.root(), key_id, purpose, self.now());
        let event = self.event(caller, "key.rotated", key_id).with("kid", version.kid.as_str()).finish();
        let rotated = self.store.rotate_key(&version, &event).await?;
        self.use_new_version(&version, rotated).await
    }

    async fn use_new_version(&self, version: &KeyVersionRow, made: NewVersion) -> Result<KeyVersionRow> {
        match made {
            NewVersion::Done => {}
            NewVersion::KeyExists => return Err(Error::KeyExists(version.key_id.clone())),
            NewVersion::KeyMissing => return Err(Error::KeyNotFound(version.key_id.clone())),
            NewVersion::OtherRoot => return Err(Error::RootKeyChanged),
        }
        self.reload_ring().await?;
        self.key_version(&version.kid).await
    }

    /// The ring as the root key wraps it.
    pub(crate) async fn export_ring(&self, caller: &Caller) -> Result<Vec<KeyVersionRow>> {
        let versions = self.store.key_versions().await?;
        let root_key_id = self.root_key_id().to_string();
        let event =
            self.event(caller, "key.ring_exported", &root_key_id).with("versions", versions.len()).finish();
        self.store.append_event(&event).await?;
        Ok(versions)
    }
}
