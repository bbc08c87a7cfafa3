//! Archives that clients uploaded in order to restore them. The files are in the staging folder of one process; these
//! rows record their owner, their size and digest, and their expiry.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::restore::is_busy;

/// An uploaded archive.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct ArchiveUploadRow {
    pub(crate) id: String,
    /// The uploading principal.
    pub(crate) creator: String,
    pub(crate) file_name: String,
    /// The machine, or pod, that has the file.
    pub(crate) host: String,
    /// Size of the whole file.
    pub(crate) size_bytes: i64,
    /// SHA-256 of the whole file, lower-case hex; empty until it is complete.
    pub(crate) sha256: String,
    pub(crate) create_time: i64,
    /// When it is removed.
    pub(crate) expire_time: i64,
}

#[async_trait]
pub(crate) trait ArchiveUploadStore: Send + Sync + 'static {
    async fn add_upload(&self, row: &ArchiveUploadRow) -> Result<()>;

    async fn upload(&self, id: &str) -> Result<Option<ArchiveUploadRow>>;

    /// Marks an upload as complete; false if it is gone, or already complete.
    async fn complete_upload(&self, id: &str, sha256: &str) -> Result<bool>;

    /// Removes an upload of `creator`, unless a restore in progress reads it; false if nothing was removed.
    async fn remove_upload(&self, id: &str, creator: &str) -> Result<bool>;

    /// Removes the uploads whose expire time is `now` or before, and returns their ids.
    async fn remove_expired_uploads(&self, now: i64) -> Result<Vec<String>>;
}

/// The restores that need an upload. The request's JSON contains its id, a UUID.
macro_rules! needing {
    () => {
        concat!(
            "SELECT 1 FROM restores r WHERE ",
            is_busy!(),
            " AND r.request LIKE '%\"upload\":\"' || archive_uploads.id || '\"%'"
        )
    };
}

pub(super) const INSERT: &str = "
    INSERT INTO archive_uploads (id, creator, file_name, host, size_bytes, sha256, create_time, expire_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const SELECT_BY_ID: &str = "
    SELECT id, creator, file_name, host, size_bytes, sha256, create_time, expire_time FROM archive_uploads WHERE id = $1";

pub(super) const COMPLETE: &str = "UPDATE archive_uploads SET sha256 = $2 WHERE id = $1 AND sha256 = ''";

/// Like [`REMOVE_EXPIRED`].
pub(super) const REMOVE: &str =
    concat!("DELETE FROM archive_uploads WHERE id = $1 AND creator = $2 AND NOT EXISTS (", needing!(), ")");

/// Except those of restores that have not ended: they may need the archive again after a crash.
pub(super) const REMOVE_EXPIRED: &str = concat!(
    "DELETE FROM archive_uploads WHERE expire_time <= $1 AND NOT EXISTS (",
    needing!(),
    ") RETURNING id"
);
