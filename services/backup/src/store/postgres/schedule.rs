//! Schedules in PostgreSQL.

use async_trait::async_trait;
use sqlx::query::Query;
use strongroom_store::{Result, expect_rows};

use super::backup::{bind as bind_backup, put};
use super::operation::insert as insert_operation;
use super::{Connection, Database, Store};
use crate::store::backup::INSERT as INSERT_BACKUP;
use crate::store::schedule::{
    DEAD_RUNS, DUE, INSERT, LIST, REMOVE, REPLACE, SELECT, TO_VERIFY, VERIFIED_SINCE,
};
use crate::store::{BackupRow, OperationRow, Replaced, ScheduleRow, ScheduleStore, StoredBackup, Turn};

#[async_trait]
impl ScheduleStore for Store {
    async fn create_schedule(&self, schedule: &ScheduleRow) -> Result<()> {
        let done = bind(INSERT, schedule).execute(self.pools.writer()).await?;
        expect_rows("schedules", done.rows_affected(), 1)
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        Ok(sqlx::query_as(SELECT).bind(name).fetch_optional(self.pools.reader()).await?)
    }

    async fn schedules(&self) -> Result<Vec<ScheduleRow>> {
        Ok(sqlx::query_as(LIST).fetch_all(self.pools.reader()).await?)
    }

    async fn due_schedules(&self, now: i64) -> Result<Vec<ScheduleRow>> {
        Ok(sqlx::query_as(DUE).bind(now).fetch_all(self.pools.reader()).await?)
    }

    async fn replace_schedule(&self, turn: &Turn) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        let is_done = replace(&mut tx, turn).await?;
        tx.commit().await?;
        Ok(is_done)
    }

    async fn remove_schedule(&self, name: &str, revision: i64) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(name).bind(revision).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn begin_run(
        &self,
        turn: &Turn,
        backup: &StoredBackup,
        operation: &OperationRow,
    ) -> Result<Replaced> {
        let mut tx = self.pools.begin().await?;
        if !insert_operation(&mut tx, operation).await? {
            return Ok(Replaced::Fenced);
        }
        if !replace(&mut tx, turn).await? {
            return Ok(Replaced::Stale);
        }
        let done = bind_backup(INSERT_BACKUP, &backup.row).execute(&mut *tx).await?;
        expect_rows("backups", done.rows_affected(), 1)?;
        put(&mut tx, &backup.copies).await?;
        tx.commit().await?;
        Ok(Replaced::Done)
    }

    async fn dead_runs(&self) -> Result<Vec<BackupRow>> {
        Ok(sqlx::query_as(DEAD_RUNS).fetch_all(self.pools.reader()).await?)
    }

    async fn backups_to_verify(&self, schedule: &str, until: i64, limit: i64) -> Result<Vec<BackupRow>> {
        let found = sqlx::query_as(TO_VERIFY).bind(schedule).bind(until).bind(limit);
        Ok(found.fetch_all(self.pools.reader()).await?)
    }

    async fn contents_verified_since(&self, since: i64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(VERIFIED_SINCE).bind(since).fetch_all(self.pools.reader()).await?)
    }

    async fn record_run(&self, turn: &Turn, backup: &BackupRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !replace(&mut tx, turn).await? {
            return Ok(false);
        }
        let done = bind_backup(INSERT_BACKUP, backup).execute(&mut *tx).await?;
        expect_rows("backups", done.rows_affected(), 1)?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn replace(tx: &mut Connection, turn: &Turn) -> Result<bool> {
    let done = bind(REPLACE, &turn.schedule).bind(turn.expected).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// `sql` with a row's columns as its arguments, in the order of declaration.
fn bind<'q>(
    sql: &'static str,
    row: &'q ScheduleRow,
) -> Query<'q, Database, <Database as sqlx::Database>::Arguments> {
    sqlx::query(sql)
        .bind(&row.name)
        .bind(&row.rules)
        .bind(&row.creator)
        .bind(&row.delegation)
        .bind(row.create_time)
        .bind(row.paused)
        .bind(row.orphan_time)
        .bind(row.due_time)
        .bind(row.start_time)
        .bind(&row.reason)
        .bind(&row.problem)
        .bind(row.verifying_time)
        .bind(row.revision)
}
