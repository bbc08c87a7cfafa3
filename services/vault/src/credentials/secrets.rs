//! Stored secrets: their rows and their plaintext. Every secret of a credential is opened here.
//!
//! A re-encryption can seal a secret anew after its row was read, and the key version in the text that was read may be
//! out of use by then. A secret with such a version is therefore read once more before an error is returned.

use std::sync::Arc;

use strongroom_crypto::{Error as CryptoError, KeyRing, SecretBytes};
use strongroom_runtime::{Caller, Clock};

use super::lookups::{CredentialRows, Lookups};
use crate::error::{Error, Result};
use crate::keys::Ring;
use crate::store::columns::{CURRENT_SECRET, PREVIOUS_SECRET, SealedColumn};
use crate::store::{CredentialRow, Store, VersionRow};

/// Finds, opens and seals the secrets of credentials.
pub(crate) struct Secrets {
    store: Arc<dyn Store>,
    rows: Lookups<CredentialRows>,
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
}

impl Secrets {
    /// Starts the task that reads rows; it ends when this value is dropped.
    pub(crate) fn new(store: Arc<dyn Store>, ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        let rows = Lookups::new(CredentialRows(Arc::clone(&store)));
        Self { store, rows, ring, clock }
    }

    /// A credential's row without its labels, if the caller can see it.
    pub(super) async fn row(&self, caller: &Caller, id: &str) -> Result<CredentialRow> {
        let row = self.rows.get(id.to_owned(), &caller.principal.selectors).await?;
        row.ok_or_else(|| Error::CredentialNotFound(id.to_owned()))?.map_err(Error::Lookup)
    }

    /// The sealed secret before the last rotation, during its grace period.
    pub(super) async fn previous(&self, credential_id: &str) -> Result<VersionRow> {
        let version = self.store.previous_secret(credential_id, self.clock.now_micros()).await?;
        version.ok_or_else(|| Error::NoPreviousSecret(credential_id.to_owned()))
    }

    /// The plaintext of the current secret of the credential `id`, whose row contained `sealed`.
    pub(super) async fn open_current(&self, caller: &Caller, id: &str, sealed: &str) -> Result<SecretBytes> {
        let opened = self.open(&CURRENT_SECRET, id, sealed).await;
        if !is_out_of_use(&opened) {
            return opened;
        }
        let row = self.row(caller, id).await?;
        self.open(&CURRENT_SECRET, id, &row.secret).await
    }

    /// The plaintext of the secret before the last rotation.
    pub(super) async fn open_previous(&self, version: &VersionRow) -> Result<SecretBytes> {
        let opened = self.open(&PREVIOUS_SECRET, &version.id, &version.secret).await;
        if !is_out_of_use(&opened) {
            return opened;
        }
        let again = self.previous(&version.credential_id).await?;
        self.open(&PREVIOUS_SECRET, &again.id, &again.secret).await
    }

    async fn open(&self, column: &SealedColumn, row: &str, sealed: &str) -> Result<SecretBytes> {
        self.ring.open_value(column.purpose, &column.cell(row), sealed).await
    }

    /// `secret` sealed as the current secret of the credential `id`.
    pub(super) fn seal_current(&self, id: &str, secret: &SecretBytes) -> Result<String> {
        seal(&self.ring.current(), &CURRENT_SECRET, id, secret)
    }

    /// `secret` sealed as the previous secret in the row `id` of `credential_versions`.
    pub(super) fn seal_previous(&self, id: &str, secret: &SecretBytes) -> Result<String> {
        seal(&self.ring.current(), &PREVIOUS_SECRET, id, secret)
    }
}

fn seal(ring: &KeyRing, column: &SealedColumn, row: &str, secret: &SecretBytes) -> Result<String> {
    Ok(ring.seal(column.key_id, &column.cell(row), secret.expose())?)
}

fn is_out_of_use(opened: &Result<SecretBytes>) -> bool {
    matches!(opened, Err(Error::Crypto(CryptoError::Unusable { .. })))
}
