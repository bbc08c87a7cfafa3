//! Drills in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::Store;
use super::operation::{insert as insert_operation, is_unfenced};
use crate::store::drill::{
    END, ENDED_SCRATCHES, FORGET, INSERT, KEEP, KEPT, LAST_OF, LAST_VERDICT, NOTE, PAGE, PRUNE, RUNNING,
    SELECT_BY_ID,
};
use crate::store::operation::REMOVE;
use crate::store::{DrillRow, DrillStore, OperationRow, Replaced, ScratchRow};

#[async_trait]
impl DrillStore for Store {
    async fn begin_drill(&self, drill: &DrillRow, operation: &OperationRow) -> Result<Replaced> {
        let mut tx = self.pools.begin().await?;
        if !insert_operation(&mut tx, operation).await? {
            return Ok(Replaced::Fenced);
        }
        let done = sqlx::query(INSERT)
            .bind(&drill.id)
            .bind(&drill.backup_id)
            .bind(&drill.file_name)
            .bind(&drill.schedule)
            .bind(drill.state.as_str())
            .bind(&drill.creator)
            .bind(drill.create_time)
            .bind(drill.end_time)
            .bind(&drill.reason)
            .bind(&drill.problem)
            .bind(&drill.evidence)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(Replaced::Stale);
        }
        let old = drill.create_time.saturating_sub(KEPT);
        sqlx::query(PRUNE).bind(old).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Replaced::Done)
    }

    async fn keep_evidence(&self, drill: &DrillRow, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !is_unfenced(&mut tx, operation).await? {
            return Ok(false);
        }
        let done = sqlx::query(KEEP).bind(&drill.id).bind(&drill.evidence).execute(&mut *tx).await?;
        expect_rows("drills", done.rows_affected(), 1)?;
        tx.commit().await?;
        Ok(true)
    }

    async fn end_drill(&self, drill: &DrillRow, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        if !is_unfenced(&mut tx, operation).await? {
            return Ok(false);
        }
        let done = sqlx::query(END)
            .bind(&drill.id)
            .bind(drill.state.as_str())
            .bind(drill.end_time)
            .bind(&drill.reason)
            .bind(&drill.problem)
            .bind(&drill.evidence)
            .execute(&mut *tx)
            .await?;
        expect_rows("drills", done.rows_affected(), 1)?;
        sqlx::query(REMOVE)
            .bind(&operation.id)
            .bind(&operation.owner)
            .bind(operation.fence)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn drill(&self, id: &str) -> Result<Option<DrillRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.pools.reader()).await?)
    }

    async fn drills(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<DrillRow>> {
        let (time, id) = before.map_or((i64::MAX, ""), |(time, id)| (*time, id));
        let found = sqlx::query_as(PAGE).bind(time).bind(id).bind(limit);
        Ok(found.fetch_all(self.pools.reader()).await?)
    }

    async fn last_drill(&self, schedule: &str) -> Result<Option<DrillRow>> {
        Ok(sqlx::query_as(LAST_OF).bind(schedule).fetch_optional(self.pools.reader()).await?)
    }

    async fn last_verdict(&self, schedule: &str) -> Result<Option<DrillRow>> {
        Ok(sqlx::query_as(LAST_VERDICT).bind(schedule).fetch_optional(self.pools.reader()).await?)
    }

    async fn note_scratch(&self, scratch: &ScratchRow) -> Result<()> {
        let noted = sqlx::query(NOTE).bind(&scratch.drill_id).bind(&scratch.kind).bind(&scratch.place);
        noted.execute(self.pools.writer()).await?;
        Ok(())
    }

    async fn ended_scratches(&self) -> Result<Vec<ScratchRow>> {
        Ok(sqlx::query_as(ENDED_SCRATCHES).fetch_all(self.pools.reader()).await?)
    }

    async fn forget_scratch(&self, drill: &str, kind: &str) -> Result<()> {
        sqlx::query(FORGET).bind(drill).bind(kind).execute(self.pools.writer()).await?;
        Ok(())
    }

    async fn running_drill(&self) -> Result<Option<DrillRow>> {
        Ok(sqlx::query_as(RUNNING).fetch_optional(self.pools.reader()).await?)
    }
}
