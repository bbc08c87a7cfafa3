//! Archives that clients upload to restore them: files in the staging folder that last for a day, whichever process
//! received them.
//!
//! A row has the file's owner, size and digest; the file's own length is the part that has arrived. A sealed file is
//! resumed where it broke off. A plain one is sealed to the vault as it arrives, and starts again from the beginning.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strongroom_age::{FileKey, Recipient, Recipients};
use strongroom_runtime::Clock;

use crate::error::{Error, RestoreError, Result};
use crate::incoming::{Parts, Place, Staged, Upload, Uploads};
use crate::seal::Seal;
use crate::store::{ArchiveUploadRow, Store};
use crate::vault_client::VaultClient;

/// How long a file is kept, in microseconds.
const LIFETIME: i64 = 24 * 3600 * 1_000_000;
/// Age from which a file without a row is removed.
const OLD: Duration = Duration::from_secs(48 * 3600);
/// Prefix of file names.
const PREFIX: &str = "strongroom-upload-";
/// Suffix of the names of files that arrived plain.
const PLAIN: &str = "-sealed-here";

/// Receives archives and opens them.
pub(crate) struct ArchiveUploads {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admission: Arc<Uploads>,
    pub(crate) folder: PathBuf,
    /// This machine, or pod.
    pub(crate) host: String,
    /// Maximum time that a client may send nothing.
    pub(crate) stall: Duration,
}

/// An upload, and the number of bytes that have arrived.
pub(crate) struct Arrived {
    pub(crate) row: ArchiveUploadRow,
    pub(crate) received: u64,
}

impl ArchiveUploads {
    /// Receives a file of `caller`, or the rest of it if there is already an upload `resumed`.
    ///
    /// # Errors
    /// Those of [`Upload`], [`RestoreError::UploadNotFound`], [`RestoreError::UploadElsewhere`], and errors of the
    /// vault and the store.
    pub(crate) async fn receive(&self, caller: &str, resumed: &str, parts: Parts) -> Result<Arrived> {
        let slot = Arc::new(self.admission.admit(caller)?);
        let limit = slot.limits().staged_bytes;
        let upload = Upload::begin(parts, slot, self.stall).await?;
        self.check_room(upload.size(), limit)?;
        let row = self.row(caller, resumed, (upload.size(), upload.file_name().to_owned())).await?;
        if !row.sha256.is_empty() {
            return Err(Error::field("header.upload_id", "is already complete; plan with it"));
        }
        let place = self.place(&row.id).await?;
        let staged = match upload.receive_at(place, |_| ()).await {
            Ok(staged) => staged,
            Err(error) => {
                // The received part is not the beginning of the client's file.
                if matches!(&error, Error::Field { field, .. } if field == "end.sha256") {
                    self.remove(&row.id);
                }
                return Err(error);
            }
        };
        if !self.store.complete_upload(&row.id, &staged.sha256).await? {
            return Err(RestoreError::UploadNotFound(row.id).into());
        }
        let received = staged.size;
        Ok(Arrived { row: ArchiveUploadRow { sha256: staged.sha256, ..row }, received })
    }

    /// The upload, with the number of bytes that have arrived.
    ///
    /// # Errors
    /// As for [`Self::open`], except for an incomplete upload.
    pub(crate) async fn get(&self, caller: &str, id: &str) -> Result<Arrived> {
        let row = self.own(caller, id).await?;
        let received =
            if row.sha256.is_empty() { length(&self.sealed(id)) } else { row.size_bytes.unsigned_abs() };
        Ok(Arrived { row, received })
    }

    /// Removes an upload before it expires.
    ///
    /// # Errors
    /// [`RestoreError::UploadNotFound`], [`RestoreError::UploadElsewhere`], and [`RestoreError::UploadNeeded`] while a
    /// restore may need it again.
    pub(crate) async fn delete(&self, caller: &str, id: &str) -> Result<()> {
        let row = self.own(caller, id).await?;
        let is_here = [self.sealed(id), self.plain(id)].iter().any(|path| path.exists());
        if row.host != self.host && !is_here {
            return Err(self.gone(row));
        }
        if !self.store.remove_upload(id, caller).await? {
            return Err(RestoreError::UploadNeeded(row.id).into());
        }
        self.remove(id);
        Ok(())
    }

    /// A complete file, and its name.
    ///
    /// # Errors
    /// [`RestoreError::UploadNotFound`], [`RestoreError::UploadIncomplete`], [`RestoreError::UploadElsewhere`].
    pub(crate) async fn open(&self, caller: &str, id: &str) -> Result<(Staged, String)> {
        let row = self.own(caller, id).await?;
        let size = row.size_bytes.unsigned_abs();
        if row.sha256.is_empty() {
            let (id, received) = (row.id, length(&self.sealed(id)));
            return Err(RestoreError::UploadIncomplete { id, received, size }.into());
        }
        let file = match File::open(self.sealed(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(self.plain(id)),
            opened => opened,
        };
        match file {
            Ok(file) => Ok((Staged::sealed(file, size, row.sha256), row.file_name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.gone(row)),
            Err(error) => Err(Error::Staging(error)),
        }
    }

    /// Removes expired uploads, and old files without a row: left by another replica, or by databases that no longer
    /// exist. A recent one may belong to another service that shares the folder.
    ///
    /// # Errors
    /// The store's errors.
    pub(crate) async fn tend(&self) -> Result<()> {
        for id in self.store.remove_expired_uploads(self.clock.now_micros()).await? {
            self.remove(&id);
        }
        for id in self.old_ids() {
            if self.store.upload(&id).await?.is_none() {
                self.remove(&id);
            }
        }
        Ok(())
    }

    /// Files that are kept for a day count together with those that are arriving.
    fn check_room(&self, size: u64, limit: u64) -> Result<()> {
        let entries = std::fs::read_dir(&self.folder).map_err(Error::Staging)?;
        let kept = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            is_ours.then(|| entry.metadata().ok().map(|found| found.len())).flatten()
        });
        if kept.sum::<u64>().saturating_add(size) > limit {
            return Err(Error::StagingBusy(limit));
        }
        Ok(())
    }

    async fn row(
        &self,
        caller: &str,
        resumed: &str,
        (size, file_name): (u64, String),
    ) -> Result<ArchiveUploadRow> {
        let known = match resumed {
            "" => None,
            id => self.store.upload(id).await?,
        };
        if let Some(row) = known {
            if row.creator != caller {
                return Err(RestoreError::UploadNotFound(row.id).into());
            }
            if row.size_bytes.unsigned_abs() != size {
                let problem = format!("is not that of the upload, which is {}", row.size_bytes);
                return Err(Error::field("header.size_bytes", problem));
            }
            return Ok(row);
        }
        let create_time = self.clock.now_micros();
        let row = ArchiveUploadRow {
            id: if resumed.is_empty() { uuid::Uuid::now_v7().to_string() } else { resumed.to_owned() },
            creator: caller.to_owned(),
            file_name,
            host: self.host.clone(),
            size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            sha256: String::new(),
            create_time,
            expire_time: create_time.saturating_add(LIFETIME),
        };
        self.store.add_upload(&row).await?;
        // An existing file with that name belongs to a database that no longer exists.
        self.remove(&row.id);
        Ok(row)
    }

    async fn place(&self, id: &str) -> Result<Place> {
        let (sealed, plain) = (self.sealed(id), self.plain(id));
        if sealed.exists() {
            return Ok(Place::Resumed(sealed));
        }
        let _ = std::fs::remove_file(&plain);
        let file_key = FileKey::generate();
        let stanza = self.vault.wrap_file_key(&file_key, id).await?;
        let recipients = Recipients::Keys(vec![Recipient::from(stanza)]);
        Ok(Place::Named { sealed, plain, seal: Box::new(Seal { file_key, recipients }) })
    }

    async fn own(&self, caller: &str, id: &str) -> Result<ArchiveUploadRow> {
        let row = self.store.upload(id).await?.filter(|row| row.creator == caller);
        row.ok_or_else(|| RestoreError::UploadNotFound(id.to_owned()).into())
    }

    fn gone(&self, row: ArchiveUploadRow) -> Error {
        if row.host == self.host {
            return RestoreError::UploadNotFound(row.id).into();
        }
        RestoreError::UploadElsewhere { id: row.id, host: row.host }.into()
    }

    fn sealed(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{PREFIX}{id}"))
    }

    fn plain(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{PREFIX}{id}{PLAIN}"))
    }

    fn remove(&self, id: &str) {
        for path in [self.sealed(id), self.plain(id)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "an upload cannot be removed");
                }
                _ => {}
            }
        }
    }

    /// Ids of existing files that have not been written for longer than an upload lasts.
    fn old_ids(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let old = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let age = entry.metadata().ok()?.modified().ok()?.elapsed().ok()?;
            (age > OLD).then(|| entry.file_name().into_string().ok()).flatten()
        });
        let ids = old.filter_map(|name| {
            let id = name.strip_prefix(PREFIX)?;
            Some(id.strip_suffix(PLAIN).unwrap_or(id).to_owned())
        });
        ids.collect()
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
