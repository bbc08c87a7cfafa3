//! The open ring, replaced as a whole when the stored one changes.

use std::sync::{Arc, PoisonError, RwLock};

use strongroom_crypto::{KeyRing, Kid, RootKey, RootKeyId, WrappedVersion};

use crate::error::{Error, Result};
use crate::store::KeyVersionRow;

/// Root keys and the ring that they opened.
pub(crate) struct OpenRing {
    /// The current one, then previous ones.
    roots: Vec<RootKey>,
    ring: RwLock<Arc<KeyRing>>,
}

impl OpenRing {
    /// Opens `rows` with `roots`, the current root key first.
    pub(crate) fn open(roots: Vec<RootKey>, rows: &[KeyVersionRow]) -> Result<Self> {
        let ring = open(&roots, rows)?;
        Ok(Self { roots, ring: RwLock::new(Arc::new(ring)) })
    }

    /// The ring as it is now. Hold it for one call only.
    pub(crate) fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the ring anew after the stored one has changed.
    pub(crate) fn replace(&self, rows: &[KeyVersionRow]) -> Result<()> {
        let ring = Arc::new(open(&self.roots, rows)?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// The root key that wraps new versions.
    pub(crate) fn root(&self) -> &RootKey {
        &self.roots[0]
    }

    pub(crate) fn root_key_id(&self) -> RootKeyId {
        self.root().id()
    }
}

/// Opens `rows` with `roots`.
pub(crate) fn open(roots: &[RootKey], rows: &[KeyVersionRow]) -> Result<KeyRing> {
    let versions = rows.iter().map(wrapped_version).collect::<Result<Vec<_>>>()?;
    let roots: Vec<&RootKey> = roots.iter().collect();
    Ok(KeyRing::open(&roots, &versions)?)
}

fn wrapped_version(row: &KeyVersionRow) -> Result<WrappedVersion> {
    let number = u32::try_from(row.number)
        .map_err(|_| Error::Inconsistent(format!("key_versions.number of {}", row.kid)))?;
    Ok(WrappedVersion {
        key_id: row.key_id.clone(),
        purpose: row.purpose.parse()?,
        kid: row.kid.parse::<Kid>()?,
        number,
        state: row.state.parse()?,
        root_key_id: row.root_key_id.parse()?,
        wrapped: row.wrapped.clone(),
    })
}
