//! Pins the key versions that stored backups need: the vault does not retire them until the backup is purged.
//!
//! All are pinned again at every start and after every restore of the vault, so that a vault restored from an older
//! state has them too.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;
use tokio::sync::{Notify, watch};

use super::record::content_of;
use crate::backoff::Backoff;
use crate::error::Result;
use crate::health::is_watched;
use crate::store::{BackupFilter, BackupState, Store, StoredBackup};
use crate::vault_client::VaultClient;

/// Backups whose key versions are pinned.
pub(super) const PINNED: [BackupState; 3] =
    [BackupState::Available, BackupState::Deleted, BackupState::Deleting];
const PAGE: i64 = 500;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Asserts the pins of all backups.
pub(crate) struct Pinning {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    /// True once all are pinned. Until then, this process releases no pins: for a backup purged in between, they could
    /// be asserted again afterwards and would stay forever if the process died.
    pub(crate) done: watch::Sender<bool>,
}

impl Pinning {
    /// Pins the versions of all backups, now and each time that the vault was `restored`.
    pub(crate) async fn keep(&self, restored: &Notify, shutdown: &Shutdown) {
        loop {
            self.assert_all(shutdown).await;
            if shutdown.unless_begun(restored.notified()).await.is_none() {
                return;
            }
        }
    }

    /// Pins the versions of all backups once; retries until that succeeds, or until `shutdown`.
    async fn assert_all(&self, shutdown: &Shutdown) {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, shutdown.clone());
        let mut has_said = false;
        while let Err(error) = self.try_all().await {
            if !is_watched(&error) && !std::mem::replace(&mut has_said, true) {
                tracing::warn!(%error, "the key versions of stored backups cannot be pinned yet");
            }
            if !backoff.wait().await {
                return;
            }
        }
        self.done.send_replace(true);
    }

    async fn try_all(&self) -> Result<()> {
        let mut filter = BackupFilter { states: PINNED.to_vec(), ..BackupFilter::default() };
        loop {
            let page = self.store.backups(&filter, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            filter.after(last);
            for backup in &page {
                assert_pins(self.store.as_ref(), &self.vault, backup).await?;
            }
        }
    }
}

/// Pins the versions of one backup.
///
/// # Errors
/// Errors of the store and the vault.
pub(super) async fn assert_pins(store: &dyn Store, vault: &VaultClient, backup: &StoredBackup) -> Result<()> {
    vault.assert_pins(&backup.row.id, content_of(&backup.row)?.kids).await?;
    // It may have been purged meanwhile, and then nobody would release the pins.
    if store.backup(&backup.row.id).await?.is_none() {
        vault.try_release(&backup.row.id).await?;
    }
    Ok(())
}
