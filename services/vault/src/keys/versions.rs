//! Key versions as the store holds them: creating them, and finding them by kid or key.

use strongroom_crypto::{KeyVersion, Purpose, RootKey, WrappedVersion};

use crate::error::{Error, Result};
use crate::store::key_names::{AUDIT_KEY, CREDENTIAL_KEY, PAGE_KEY, ROWS_KEY, SIGNING_KEY};
use crate::store::{KeyVersionRow, Store};

/// The first versions of a new vault's keys.
pub(crate) fn first_versions(root: &RootKey, now: i64) -> Vec<KeyVersionRow> {
    [
        (CREDENTIAL_KEY, Purpose::Credential),
        (AUDIT_KEY, Purpose::Audit),
        (PAGE_KEY, Purpose::Page),
        (SIGNING_KEY, Purpose::Signing),
        (ROWS_KEY, Purpose::Rows),
    ]
    .into_iter()
    .map(|(key_id, purpose)| new_version(root, key_id, purpose, now))
    .collect()
}

/// The first version of a key; the store numbers later ones.
pub(super) fn new_version(root: &RootKey, key_id: &str, purpose: Purpose, now: i64) -> KeyVersionRow {
    row(KeyVersion::create(root, key_id, purpose, 1), now)
}

fn row(version: WrappedVersion, create_time: i64) -> KeyVersionRow {
    KeyVersionRow {
        kid: version.kid.to_string(),
        key_id: version.key_id,
        purpose: version.purpose,
        number: i64::from(version.number),
        state: version.state,
        root_key_id: version.root_key_id.to_string(),
        wrapped: version.wrapped,
        create_time,
        state_time: create_time,
        import_time: None,
        destroy_time: None,
        destroy_approved: false,
    }
}

/// Every version of every key, without its wrapped bytes.
pub(super) async fn all(store: &dyn Store) -> Result<Vec<KeyVersionRow>> {
    let mut versions = store.key_versions().await?;
    for version in &mut versions {
        version.wrapped.clear();
    }
    Ok(versions)
}

/// The version `kid`, without its wrapped bytes.
pub(super) async fn one(store: &dyn Store, kid: &str) -> Result<KeyVersionRow> {
    let found = all(store).await?.into_iter().find(|version| version.kid == kid);
    found.ok_or_else(|| Error::KeyVersionNotFound(kid.to_owned()))
}

/// The versions of a key, by number; there is at least one.
pub(super) async fn of_key(store: &dyn Store, key_id: &str) -> Result<Vec<KeyVersionRow>> {
    let mut versions = all(store).await?;
    versions.retain(|version| version.key_id == key_id);
    if versions.is_empty() {
        return Err(Error::KeyNotFound(key_id.to_owned()));
    }
    Ok(versions)
}
