//! The archive that a restore reads: a stored backup or an upload, as a file of this process.
//!
//! A plan and its application each fetch the file anew, because a day may pass in between; the SHA-256 proves that it
//! is the same file.

use std::sync::Arc;
use std::time::Duration;

use super::record::Origin;
use super::uploads::ArchiveUploads;
use crate::backups::Rereading;
use crate::error::{Error, RestoreError, Result};
use crate::incoming::{
    Allowance, Archive, MemoryLimits, Opened, Slot, Staged, Unopened, Upload, Uploads, open,
};
use crate::vault_client::VaultClient;
use crate::verification::Subject as _;

/// Fetches archives.
pub(crate) struct Archives {
    pub(crate) rereading: Arc<Rereading>,
    pub(crate) uploads: Arc<ArchiveUploads>,
    /// Admission and limits of all staged files.
    pub(crate) admission: Arc<Uploads>,
    pub(crate) vault: VaultClient,
    pub(crate) memory: MemoryLimits,
    /// Maximum time that a destination may send nothing.
    pub(crate) stall: Duration,
}

/// A fetched file.
pub(crate) struct Fetched {
    pub(crate) staged: Staged,
    pub(crate) file_name: String,
    /// Its reserved disk space.
    _slot: Option<Arc<Slot>>,
}

impl Archives {
    /// Fetches the file for the principal `caller`. `progress` gets the number of bytes so far.
    ///
    /// # Errors
    /// Those of stored backups and of uploads, and [`Error::BackupDamaged`] for a file that differs from the stored
    /// one.
    pub(crate) async fn fetch(
        &self,
        caller: &str,
        origin: &Origin,
        progress: impl Fn(u64) + Send,
    ) -> Result<Fetched> {
        match origin {
            Origin::Upload(id) => {
                let (staged, file_name) = self.uploads.open(caller, id).await?;
                Ok(Fetched { staged, file_name, _slot: None })
            }
            Origin::Backup(id) => self.reread(caller, id, progress).await,
        }
    }

    async fn reread(&self, caller: &str, id: &str, progress: impl Fn(u64) + Send) -> Result<Fetched> {
        let slot = Arc::new(self.admission.admit(caller)?);
        let (stored, parts) = self.rereading.read(id, "").await?;
        let upload = Upload::begin(parts, Arc::clone(&slot), self.stall).await?;
        let file_name = upload.file_name().to_owned();
        let staged = upload.receive(progress).await?;
        if staged.sha256 != stored.sha256() {
            return Err(stored.damaged("its SHA-256 is different"));
        }
        Ok(Fetched { staged, file_name, _slot: Some(slot) })
    }

    /// Opens a verified file.
    ///
    /// # Errors
    /// [`RestoreError::ArchiveChanged`] if it can no longer be opened, the vault's errors, and [`Error::Staging`].
    pub(crate) async fn open(&self, staged: Staged) -> Result<Archive> {
        // It was already verified within the limits of a verification.
        let allowance = Allowance::create(Duration::MAX, staged.size);
        let opened = open(staged.file, &self.vault, self.memory, allowance, ()).await?;
        let changed = |problem: Unopened| Error::from(RestoreError::ArchiveChanged(problem.to_string()));
        opened.map(|Opened { archive, .. }| archive).map_err(changed)
    }
}
