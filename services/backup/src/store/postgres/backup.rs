//! The catalogue in PostgreSQL.

use async_trait::async_trait;
use sqlx::query::Query;
use strongroom_store::{Result, expect_rows};

use super::operation::{insert as insert_operation, is_unfenced};
use super::{Connection, Database, Store};
use crate::store::backup::{
    ADOPT, INSERT, REMOVE, REPLACE, SELECT_BY_ID, SELECT_BY_REQUEST, SET_PROGRESS, TO_TEND, page,
};
use crate::store::copy::{PUT, copies_of};
use crate::store::{BackupFilter, BackupRow, CatalogueStore, CopyRow, OperationRow, Replaced, StoredBackup};

#[async_trait]
impl CatalogueStore for Store {
    async fn create_backup(&self, backup: &StoredBackup, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !insert_operation(&mut tx, operation).await? {
            return Ok(false);
        }
        let done = bind(INSERT, &backup.row).execute(&mut *tx).await?;
        expect_rows("backups", done.rows_affected(), 1)?;
        put(&mut tx, &backup.copies).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn adopt_backup(&self, backup: &StoredBackup) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        let done = bind(ADOPT, &backup.row).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        put(&mut tx, &backup.copies).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn backup(&self, id: &str) -> Result<Option<StoredBackup>> {
        let mut tx = self.pools.begin_snapshot().await?;
        let row = sqlx::query_as(SELECT_BY_ID).bind(id).fetch_all(&mut *tx).await?;
        Ok(with_copies(&mut tx, row).await?.pop())
    }

    async fn backup_of_request(&self, request: &str) -> Result<Option<StoredBackup>> {
        let mut tx = self.pools.begin_snapshot().await?;
        let row = sqlx::query_as(SELECT_BY_REQUEST).bind(request).fetch_all(&mut *tx).await?;
        Ok(with_copies(&mut tx, row).await?.pop())
    }

    async fn backups(&self, filter: &BackupFilter, limit: i64) -> Result<Vec<StoredBackup>> {
        let mut tx = self.pools.begin_snapshot().await?;
        let rows = page::<Database>(filter, limit).build_query_as().fetch_all(&mut *tx).await?;
        with_copies(&mut tx, rows).await
    }

    async fn backups_to_tend(&self, now: i64, limit: i64) -> Result<Vec<StoredBackup>> {
        let mut tx = self.pools.begin_snapshot().await?;
        let rows = sqlx::query_as(TO_TEND).bind(now).bind(limit).fetch_all(&mut *tx).await?;
        with_copies(&mut tx, rows).await
    }

    async fn replace(
        &self,
        row: &BackupRow,
        expected: i64,
        copies: &[CopyRow],
        operation: Option<&OperationRow>,
    ) -> Result<Replaced> {
        let mut tx = self.pools.begin().await?;
        if let Some(operation) = operation
            && !is_unfenced(&mut tx, operation).await?
        {
            return Ok(Replaced::Fenced);
        }
        let done = bind(REPLACE, row).bind(expected).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(Replaced::Stale);
        }
        put(&mut tx, copies).await?;
        tx.commit().await?;
        Ok(Replaced::Done)
    }

    async fn set_copy(&self, copy: &CopyRow, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !is_unfenced(&mut tx, operation).await? {
            return Ok(false);
        }
        put(&mut tx, std::slice::from_ref(copy)).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn set_progress(&self, progress: &str, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !is_unfenced(&mut tx, operation).await? {
            return Ok(false);
        }
        let done = sqlx::query(SET_PROGRESS).bind(&operation.id).bind(progress).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_backup(&self, id: &str, revision: i64) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(id).bind(revision).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn with_copies(tx: &mut Connection, rows: Vec<BackupRow>) -> Result<Vec<StoredBackup>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let copies = copies_of::<Database>(&rows).build_query_as().fetch_all(tx).await?;
    Ok(StoredBackup::join(rows, copies))
}

pub(super) async fn put(tx: &mut Connection, copies: &[CopyRow]) -> Result<()> {
    for copy in copies {
        let done = sqlx::query(PUT)
            .bind(&copy.backup_id)
            .bind(&copy.destination)
            .bind(copy.position)
            .bind(&copy.key)
            .bind(copy.state.as_str())
            .bind(&copy.reason)
            .bind(&copy.problem)
            .bind(&copy.upload_id)
            .bind(&copy.etag)
            .bind(copy.recorded)
            .execute(&mut *tx)
            .await?;
        expect_rows("backup_copies", done.rows_affected(), 1)?;
    }
    Ok(())
}

/// `sql` with a row's columns as its arguments, in the order of declaration.
pub(super) fn bind<'q>(
    sql: &'static str,
    row: &'q BackupRow,
) -> Query<'q, Database, <Database as sqlx::Database>::Arguments> {
    sqlx::query(sql)
        .bind(&row.id)
        .bind(&row.file_name)
        .bind(row.state.as_str())
        .bind(&row.creator)
        .bind(&row.request)
        .bind(row.create_time)
        .bind(row.end_time)
        .bind(&row.reason)
        .bind(&row.problem)
        .bind(&row.selection)
        .bind(&row.content)
        .bind(row.hold)
        .bind(row.delete_time)
        .bind(row.purge_time)
        .bind(row.verify_time)
        .bind(&row.verification)
        .bind(&row.progress)
        .bind(row.revision)
        .bind(row.record_revision)
        .bind(&row.schedule)
        .bind(row.due_time)
}
