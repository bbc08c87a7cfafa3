//! Processes in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::locks::LOCK_PROCESS;
use crate::store::process::{BEAT, INSERT, LIST, PING, REMOVE};
use crate::store::{ProcessRow, ProcessStore};

#[async_trait]
impl ProcessStore for Store {
    async fn ping(&self) -> Result<()> {
        sqlx::query(PING).execute(self.pools.reader()).await?;
        Ok(())
    }

    async fn register_process(&self, process: &ProcessRow) -> Result<()> {
        sqlx::query(INSERT)
            .bind(&process.id)
            .bind(&process.host)
            .bind(process.beat)
            .bind(process.start_time)
            .bind(&process.heir)
            .execute(self.pools.writer())
            .await?;
        Ok(())
    }

    async fn beat(&self, id: &str) -> Result<bool> {
        let done = sqlx::query(BEAT).bind(id).execute(self.pools.writer()).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn processes(&self) -> Result<Vec<ProcessRow>> {
        Ok(sqlx::query_as(LIST).fetch_all(self.pools.reader()).await?)
    }

    async fn leave(&self, id: &str) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        // A separate statement: the next one sees everything that is committed while this one waits.
        sqlx::query(LOCK_PROCESS).bind(id).execute(&mut *tx).await?;
        let done = sqlx::query(REMOVE).bind(id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
