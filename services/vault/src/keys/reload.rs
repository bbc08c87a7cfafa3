//! Keeping the open ring the stored one: after a change here, after a change elsewhere (polled), and when a
//! value names a version that this process does not know yet.

use strongroom_crypto::{Cell, Error as CryptoError, Purpose, SecretBytes};

use crate::audit::ChainKey;
use crate::error::Result;
use crate::vault::Vault;

impl Vault {
    /// Opens the stored ring if it changed.
    pub(crate) async fn reload_ring(&self) -> Result<()> {
        if self.ring.reload(self.store.as_ref()).await? {
            return self.ring_replaced();
        }
        Ok(())
    }

    /// Called after the open ring was replaced: the audit log is chained by its newest key from here on.
    fn ring_replaced(&self) -> Result<()> {
        self.store.set_chain(ChainKey::primary(&self.ring())?);
        Ok(())
    }

    /// Opens a value that may have been sealed by a version newer than the open ring.
    pub(crate) async fn open_value(
        &self,
        purpose: Purpose,
        cell: &Cell<'_>,
        sealed: &str,
    ) -> Result<SecretBytes> {
        match self.ring().open_value(purpose, cell, sealed) {
            // Another process may have made it, or enabled it again, a moment ago.
            Err(CryptoError::UnknownVersion { .. } | CryptoError::Unusable { .. }) => {}
            opened => return Ok(opened?),
        }
        self.reload_ring().await?;
        Ok(self.ring().open_value(purpose, cell, sealed)?)
    }
}
