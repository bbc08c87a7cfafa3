//! Restores in PostgreSQL.

use async_trait::async_trait;
use sqlx::query::Query;
use strongroom_store::{Result, expect_rows};

use super::operation::{insert as insert_operation, is_unfenced};
use super::{Database, Store};
use crate::store::restore::{
    FIRST_PAGE, INSERT, NEEDING, PAGE, RELEASE, REMOVE, REPLACE, RESERVE, SELECT_BY_ID, TARGET, TO_TEND,
};
use crate::store::{Begun, OperationRow, Replaced, RestoreRow, RestoreStore, TargetRow};

#[async_trait]
impl RestoreStore for Store {
    async fn add_restore(&self, row: &RestoreRow) -> Result<()> {
        let done = bind(INSERT, row).execute(self.pools.writer()).await?;
        expect_rows("restores", done.rows_affected(), 1)
    }

    async fn restore(&self, id: &str) -> Result<Option<RestoreRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.pools.reader()).await?)
    }

    async fn restores(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<RestoreRow>> {
        let query = match before {
            Some((time, id)) => sqlx::query_as(PAGE).bind(*time).bind(id),
            None => sqlx::query_as(FIRST_PAGE),
        };
        Ok(query.bind(limit).fetch_all(self.pools.reader()).await?)
    }

    async fn begin_restore(
        &self,
        row: &RestoreRow,
        expected: i64,
        sources: &[String],
        operation: &OperationRow,
    ) -> Result<Begun> {
        let mut tx = self.pools.begin().await?;
        if !insert_operation(&mut tx, operation).await? {
            return Ok(Begun::Fenced);
        }
        for source in sources {
            let done = sqlx::query(RESERVE).bind(source).bind(&row.id).execute(&mut *tx).await?;
            if done.rows_affected() == 0 {
                // `None` if the source was released in the meantime: then the caller may try again.
                let taken: Option<TargetRow> =
                    sqlx::query_as(TARGET).bind(source).fetch_optional(&mut *tx).await?;
                match taken {
                    Some(taken) if taken.restore_id == row.id => {}
                    taken => return Ok(taken.map_or(Begun::Stale, Begun::Busy)),
                }
            }
        }
        let done = bind(REPLACE, row).bind(expected).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(Begun::Stale);
        }
        tx.commit().await?;
        Ok(Begun::Done)
    }

    async fn replace_restore(
        &self,
        row: &RestoreRow,
        expected: i64,
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
        if !row.state.is_busy() {
            sqlx::query(RELEASE).bind(&row.id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Replaced::Done)
    }

    async fn restore_needing(&self, backup: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(NEEDING).bind(backup).fetch_optional(self.pools.reader()).await?)
    }

    async fn restores_to_tend(&self, now: i64, limit: i64) -> Result<Vec<RestoreRow>> {
        Ok(sqlx::query_as(TO_TEND).bind(now).bind(limit).fetch_all(self.pools.reader()).await?)
    }

    async fn remove_restore(&self, id: &str, revision: i64) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(id).bind(revision).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }
}

/// `sql` with a row's columns as its arguments, in the order of declaration.
fn bind<'q>(
    sql: &'static str,
    row: &'q RestoreRow,
) -> Query<'q, Database, <Database as sqlx::Database>::Arguments> {
    sqlx::query(sql)
        .bind(&row.id)
        .bind(row.state.as_str())
        .bind(&row.creator)
        .bind(row.create_time)
        .bind(row.expire_time)
        .bind(row.rollback_time)
        .bind(row.end_time)
        .bind(&row.reason)
        .bind(&row.problem)
        .bind(&row.request)
        .bind(&row.plan)
        .bind(&row.journal)
        .bind(&row.progress)
        .bind(&row.safety_backup)
        .bind(row.revision)
}
