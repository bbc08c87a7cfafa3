//! The keys that the vault itself uses, and the ring as archives carry it.

use strongroom_crypto::{KeyVersion, Purpose, RootKey};

use crate::error::Result;
use crate::store::KeyVersionRow;
use crate::vault::Vault;

/// Seals `credentials.secret`.
pub(crate) const CREDENTIAL_KEY: &str = "credential";
/// Chains the audit log.
pub(crate) const AUDIT_KEY: &str = "audit";
/// Seals page tokens.
pub(crate) const PAGE_KEY: &str = "page";
/// Signs archive manifests.
pub(crate) const SIGNING_KEY: &str = "signing";

/// First versions of the keys that a vault starts with.
pub(crate) fn first_versions(root: &RootKey, now: i64) -> Vec<KeyVersionRow> {
    [
        (CREDENTIAL_KEY, Purpose::Credential),
        (AUDIT_KEY, Purpose::Audit),
        (PAGE_KEY, Purpose::Page),
        (SIGNING_KEY, Purpose::Signing),
    ]
    .into_iter()
    .map(|(key_id, purpose)| {
        let version = KeyVersion::create(root, key_id, purpose, 1);
        KeyVersionRow {
            kid: version.kid.to_string(),
            key_id: version.key_id,
            purpose: version.purpose.to_string(),
            number: i64::from(version.number),
            state: version.state.to_string(),
            root_key_id: version.root_key_id.to_string(),
            wrapped: version.wrapped,
            create_time: now,
        }
    })
    .collect()
}

impl Vault {
    /// The ring as the root key wraps it.
    pub(crate) async fn export_ring(&self) -> Result<Vec<KeyVersionRow>> {
        Ok(self.store.key_versions().await?)
    }
}
