//! A restore under another root key: values sealed by the archive's ring are sealed again under the vault's own ring,
//! so the old root key opens nothing here.

use std::sync::Arc;

use strongroom_crypto::{KeyRing, parse_kid};

use crate::error::Result;
use crate::store::columns::{CURRENT_SECRET, PREVIOUS_SECRET, SealedColumn};
use crate::store::restore::rows::ArchivedRow;

/// Both rings.
pub(super) struct Resealing {
    /// Opens values that either ring sealed.
    joined: Arc<KeyRing>,
    /// Seals values.
    live: Arc<KeyRing>,
}

impl Resealing {
    pub(super) fn new(joined: Arc<KeyRing>, live: Arc<KeyRing>) -> Self {
        Self { joined, live }
    }

    /// Seals the row's secret again under the live ring. False if no key opens the secret; the row is then unchanged.
    ///
    /// # Errors
    /// If the live ring cannot seal.
    pub(super) fn reseal(&self, row: &mut ArchivedRow) -> Result<bool> {
        match row {
            ArchivedRow::Credential(row) => self.value(&CURRENT_SECRET, &row.id.clone(), &mut row.secret),
            ArchivedRow::Previous(row) => self.value(&PREVIOUS_SECRET, &row.id.clone(), &mut row.secret),
            ArchivedRow::Reference(_) | ArchivedRow::Token(_) | ArchivedRow::Tombstone(_) => Ok(true),
        }
    }

    fn value(&self, column: &SealedColumn, id: &str, sealed: &mut String) -> Result<bool> {
        let cell = column.cell(id);
        let primary = self.live.primary(column.key_id)?.kid();
        if parse_kid(sealed).is_ok_and(|kid| kid == primary) {
            return Ok(self.live.open_value(column.purpose, &cell, sealed).is_ok());
        }
        let Ok(secret) = self.joined.open_value(column.purpose, &cell, sealed) else { return Ok(false) };
        *sealed = self.live.seal(column.key_id, &cell, secret.expose())?;
        Ok(true)
    }
}
