//! Uploaded archives in SQLite.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::Store;
use crate::store::archive_upload::{COMPLETE, INSERT, REMOVE, REMOVE_EXPIRED, SELECT_BY_ID};
use crate::store::{ArchiveUploadRow, ArchiveUploadStore};

#[async_trait]
impl ArchiveUploadStore for Store {
    async fn add_upload(&self, row: &ArchiveUploadRow) -> Result<()> {
        let done = sqlx::query(INSERT)
            .bind(&row.id)
            .bind(&row.creator)
            .bind(&row.file_name)
            .bind(&row.host)
            .bind(row.size_bytes)
            .bind(&row.sha256)
            .bind(row.create_time)
            .bind(row.expire_time)
            .execute(self.pools.writer())
            .await?;
        expect_rows("archive_uploads", done.rows_affected(), 1)
    }

    async fn upload(&self, id: &str) -> Result<Option<ArchiveUploadRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.pools.reader()).await?)
    }

    async fn complete_upload(&self, id: &str, sha256: &str) -> Result<bool> {
        let done = sqlx::query(COMPLETE).bind(id).bind(sha256).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_upload(&self, id: &str, creator: &str) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(id).bind(creator).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_expired_uploads(&self, now: i64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(REMOVE_EXPIRED).bind(now).fetch_all(self.pools.writer()).await?)
    }
}
