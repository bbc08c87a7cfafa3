//! The open ring, replaced as a whole when the stored one changes.

use std::sync::{Arc, PoisonError, RwLock};

use strongroom_crypto::{KeyRing, Kid, RootKey, RootKeyId, WrappedVersion};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::store::{KeyVersionRow, Store};

/// Root keys and the ring that they opened.
pub(crate) struct OpenRing {
    /// The current one, then previous ones.
    roots: Vec<RootKey>,
    ring: RwLock<Arc<KeyRing>>,
    /// The stored ring's revision that `ring` is; held while a newer one is read, so that none overtakes.
    revision: Mutex<i64>,
}

impl OpenRing {
    /// Opens the stored ring with `roots`, the current root key first.
    pub(crate) async fn open(roots: Vec<RootKey>, store: &dyn Store) -> Result<Self> {
        let revision = store.ring_revision().await?;
        let ring = open(&roots, &store.key_versions().await?)?;
        Ok(Self { roots, ring: RwLock::new(Arc::new(ring)), revision: Mutex::new(revision) })
    }

    /// The ring as it is now. Hold it for one call only.
    pub(crate) fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the ring anew if the stored one has changed; true when it had.
    pub(crate) async fn reload(&self, store: &dyn Store) -> Result<bool> {
        let mut opened = self.revision.lock().await;
        let stored = store.ring_revision().await?;
        if stored == *opened {
            return Ok(false);
        }
        self.replace(&store.key_versions().await?)?;
        *opened = stored;
        Ok(true)
    }

    fn replace(&self, rows: &[KeyVersionRow]) -> Result<()> {
        let ring = Arc::new(open(&self.roots, rows)?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// The root key that wraps new versions.
    pub(crate) fn root(&self) -> &RootKey {
        &self.roots[0]
    }

    /// Every root key that was given, the current one first.
    pub(crate) fn roots(&self) -> Vec<&RootKey> {
        self.roots.iter().collect()
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

/// The stored form of a version.
pub(crate) fn wrapped_version(row: &KeyVersionRow) -> Result<WrappedVersion> {
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
