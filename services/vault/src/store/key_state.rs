//! Authenticated states and times of key versions: write access to the database is not enough to bring back a disabled version.
//! A key of the ring cannot authenticate the ring itself, so the MAC uses a key derived from the root key.
//!
//! HMAC-SHA-256 (RFC 2104) over fields:
//!
//! ```text
//! "strongroom key state v1", root key id, kid, key id, purpose, state, creation time (8 bytes, big-endian),
//! time of its state (8 bytes), 0 or 1 and the import time, 0 or 1 and the destruction time,
//! whether the destruction was approved although the version is needed (1 byte)
//! ```
//!
//! The deployment's id has such a MAC too, over `"strongroom deployment v1"`, the root key's id and the deployment's id.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::{FromRow, Row};
use strongroom_crypto::{MacKey, RootKey, State};
use strongroom_store::{Error, Result};

use super::KeyVersionRow;
use super::fields::{put, put_optional};
use super::granting::Examined;
use super::key::DeploymentRow;

const STATE: &[u8] = b"strongroom key state v1";
const DEPLOYMENT: &[u8] = b"strongroom deployment v1";

/// A stored version whose state is not checked yet.
pub(super) struct Stated {
    version: KeyVersionRow,
    state_mac: Vec<u8>,
}

impl<'r, DB: Row> FromRow<'r, DB> for Stated
where
    KeyVersionRow: FromRow<'r, DB>,
    Vec<u8>: sqlx::Decode<'r, DB::Database> + sqlx::Type<DB::Database>,
    &'static str: sqlx::ColumnIndex<DB>,
{
    fn from_row(row: &'r DB) -> Result<Self, sqlx::Error> {
        Ok(Self { version: KeyVersionRow::from_row(row)?, state_mac: row.try_get("state_mac")? })
    }
}

/// The keys of the given root keys, by root key id.
#[derive(Debug, Clone, Default)]
pub(crate) struct StateKeys(BTreeMap<String, MacKey>);

impl StateKeys {
    #[cfg(test)]
    pub(super) fn with(keys: impl IntoIterator<Item = (String, MacKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    pub(crate) fn of(roots: &[RootKey]) -> Self {
        Self(roots.iter().map(|root| (root.id().to_string(), root.state_key())).collect())
    }
}

/// The keys, shared; empty until they are set.
#[derive(Debug, Default)]
pub(super) struct States(RwLock<Arc<StateKeys>>);

impl States {
    pub(super) fn set(&self, keys: StateKeys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The version, if its MAC is right. A version of a root key that was not given passes unchecked, because the ring
    /// cannot open it and then reports the missing root key.
    ///
    /// # Errors
    /// [`Error::Tampered`] if the MAC is wrong, and for a destroyed version of such a root key.
    pub(super) fn open(&self, stated: Stated) -> Result<KeyVersionRow> {
        let is_foreign = !self.keys().0.contains_key(&stated.version.root_key_id);
        if self.is_intact(&stated) || is_foreign && stated.version.state != State::Destroyed {
            return Ok(stated.version);
        }
        Err(Error::Tampered { table: "key_versions", row: stated.version.kid })
    }

    fn is_intact(&self, stated: &Stated) -> bool {
        let keys = self.keys();
        let key = keys.0.get(&stated.version.root_key_id);
        key.is_some_and(|key| key.verify(&message(&stated.version), &stated.state_mac))
    }

    /// The result of checking one version in a check of all.
    pub(super) fn examine(&self, stated: &Stated) -> Examined {
        let row = stated.version.kid.clone();
        let change_id = stated.version.state.as_str().to_owned();
        let is_intact = self.is_intact(stated);
        Examined { table: "key_versions", row, change_id, is_intact }
    }

    /// The MAC of the version in its current state.
    pub(super) fn code(&self, version: &KeyVersionRow) -> Result<Vec<u8>> {
        let keys = self.keys();
        let key = keys.0.get(&version.root_key_id);
        let no_key = Error::Inconsistent { subject: "root keys for a key version", expected: 1, affected: 0 };
        Ok(key.ok_or(no_key)?.mac(&message(version)).to_vec())
    }

    /// The MAC of the deployment's id under the root key `root_key_id`.
    pub(super) fn deployment_code(&self, root_key_id: &str, deployment_id: &str) -> Result<Vec<u8>> {
        let keys = self.keys();
        let key = keys.0.get(root_key_id);
        let no_key =
            Error::Inconsistent { subject: "root keys for the deployment", expected: 1, affected: 0 };
        Ok(key.ok_or(no_key)?.mac(&deployment(root_key_id, deployment_id)).to_vec())
    }

    /// The deployment's id, if its MAC is right.
    pub(super) fn open_deployment(&self, root_key_id: &str, row: DeploymentRow) -> Result<String> {
        let keys = self.keys();
        let message = deployment(root_key_id, &row.deployment_id);
        if keys.0.get(root_key_id).is_some_and(|key| key.verify(&message, &row.deployment_mac)) {
            return Ok(row.deployment_id);
        }
        Err(Error::Tampered { table: "key_ring", row: row.deployment_id })
    }

    fn keys(&self) -> Arc<StateKeys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn deployment(root_key_id: &str, deployment_id: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(96);
    for part in [DEPLOYMENT, root_key_id.as_bytes(), deployment_id.as_bytes()] {
        put(&mut message, part);
    }
    message
}

fn message(version: &KeyVersionRow) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    put(&mut message, STATE);
    for text in [&version.root_key_id, &version.kid, &version.key_id] {
        put(&mut message, text.as_bytes());
    }
    put(&mut message, version.purpose.as_str().as_bytes());
    put(&mut message, version.state.as_str().as_bytes());
    put(&mut message, &version.create_time.to_be_bytes());
    put(&mut message, &version.state_time.to_be_bytes());
    put_optional(&mut message, version.import_time.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    put_optional(&mut message, version.destroy_time.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    put(&mut message, &[u8::from(version.destroy_approved)]);
    message
}
