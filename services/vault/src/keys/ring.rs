//! The open key ring of this process.
//!
//! It is replaced as a whole when the stored ring changes: after a change in this process, after a change in another
//! process (polled), and when a value names a version that this process does not know yet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};

use strongroom_crypto::{Cell, Error as CryptoError, KeyRing, Kid, Purpose};
use strongroom_crypto::{RootKey, RootKeyId, SecretBytes, WrappedVersion};
use strongroom_store::Error as StoreError;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::store::{ChainKey, KeyVersionRow, RowKeys, Store};

/// Root keys and the ring that they opened.
pub(crate) struct Ring {
    store: Arc<dyn Store>,
    /// The current root key, then previous ones.
    roots: Vec<RootKey>,
    /// A UUID. A restore into an empty vault replaces it.
    deployment_id: RwLock<String>,
    open: RwLock<Arc<KeyRing>>,
    /// Revision of the stored ring that `open` holds; locked while a newer ring is read, so that an older one cannot
    /// replace it.
    revision: Mutex<i64>,
    /// The same, for readers that must not wait for the lock.
    opened: AtomicI64,
    /// The reason why the newest stored ring could not be opened; the one before is then still in use.
    unopened: StdMutex<Option<String>>,
}

impl Ring {
    /// Opens the stored ring with `roots`, the current root key first, and chains the audit log with it.
    pub(crate) async fn open(roots: Vec<RootKey>, store: Arc<dyn Store>) -> Result<Self> {
        let (revision, deployment_id) = (store.ring_revision().await?, store.deployment().await?);
        let ring = open_rows(&roots, &store.key_versions().await?)?;
        store.set_chain(ChainKey::primary(&ring)?);
        store.set_row_keys(RowKeys::of(&ring)?);
        let (open, opened) = (RwLock::new(Arc::new(ring)), AtomicI64::new(revision));
        let unopened = StdMutex::default();
        let deployment_id = RwLock::new(deployment_id);
        Ok(Self { store, roots, deployment_id, open, revision: Mutex::new(revision), opened, unopened })
    }

    /// The current ring. Hold it for one call only.
    pub(crate) fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.open.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the ring again if the stored one has changed. The audit log is then chained with its newest audit key.
    pub(crate) async fn reload(&self) -> Result<()> {
        let mut opened = self.revision.lock().await;
        let stored = self.store.ring_revision().await?;
        if stored == *opened {
            return Ok(());
        }
        let ring = match self.store.key_versions().await {
            Ok(rows) => open_rows(&self.roots, &rows),
            Err(error @ StoreError::Tampered { .. }) => Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        let problem = ring.as_ref().err().map(ToString::to_string);
        *self.unopened.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        let mut ring = ring?;
        let deployment_id = self.store.deployment().await?;
        *self.deployment_id.write().unwrap_or_else(PoisonError::into_inner) = deployment_id;
        ring.continue_counting(&self.current());
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        *opened = stored;
        self.opened.store(stored, Ordering::Relaxed);
        drop(opened);
        self.store.set_chain(ChainKey::primary(&self.current())?);
        self.store.set_row_keys(RowKeys::of(&self.current())?);
        Ok(())
    }

    /// The revision of the open ring.
    pub(crate) fn revision(&self) -> i64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// The reason why the stored ring could not be opened at the last reload; `None` if it was opened.
    pub(crate) fn unopened(&self) -> Option<String> {
        self.unopened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens a value that may have been sealed by a version that is newer than the open ring.
    pub(crate) async fn open_value(
        &self,
        purpose: Purpose,
        cell: &Cell<'_>,
        sealed: &str,
    ) -> Result<SecretBytes> {
        match self.current().open_value(purpose, cell, sealed) {
            // Another process may just have created it, or enabled it again.
            Err(CryptoError::UnknownVersion { .. } | CryptoError::Unusable { .. }) => {}
            opened => return Ok(opened?),
        }
        self.reload().await?;
        Ok(self.current().open_value(purpose, cell, sealed)?)
    }

    /// Created with the ring, and never changed, except that a restore into an empty vault replaces it with the
    /// archive's.
    pub(crate) fn deployment_id(&self) -> String {
        self.deployment_id.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The root key that wraps new versions.
    pub(crate) fn root(&self) -> &RootKey {
        &self.roots[0]
    }

    /// Every given root key, the current one first.
    pub(crate) fn roots(&self) -> Vec<&RootKey> {
        self.roots.iter().collect()
    }

    pub(crate) fn root_key_id(&self) -> RootKeyId {
        self.root().id()
    }
}

/// Opens `rows` with `roots`.
pub(crate) fn open_rows(roots: &[RootKey], rows: &[KeyVersionRow]) -> Result<KeyRing> {
    let versions = rows.iter().map(wrapped_version).collect::<Result<Vec<_>>>()?;
    let roots: Vec<&RootKey> = roots.iter().collect();
    Ok(KeyRing::open(&roots, &versions)?)
}

/// A stored version in the form that the ring takes.
pub(super) fn wrapped_version(row: &KeyVersionRow) -> Result<WrappedVersion> {
    let number = u32::try_from(row.number)
        .map_err(|_| Error::Inconsistent(format!("key_versions.number of {}", row.kid)))?;
    Ok(WrappedVersion {
        key_id: row.key_id.clone(),
        purpose: row.purpose,
        kid: row.kid.parse::<Kid>()?,
        number,
        state: row.state,
        root_key_id: row.root_key_id.parse()?,
        wrapped: row.wrapped.clone(),
    })
}
