//! Imports of tables in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::operation::insert as insert_operation;
use crate::store::import::SOURCE;
use crate::store::operation::REMOVE;
use crate::store::restore::{RELEASE, RESERVE, TARGET};
use crate::store::{Begun, ImportStore, OperationRow};

#[async_trait]
impl ImportStore for Store {
    async fn begin_import(&self, source: &str, operation: &OperationRow) -> Result<Begun> {
        let mut tx = self.pools.begin().await?;
        if !insert_operation(&mut tx, operation).await? {
            return Ok(Begun::Fenced);
        }
        let done = sqlx::query(RESERVE).bind(source).bind(&operation.id).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            // `None` if the source was released in the meantime: then the caller may try again.
            let taken = sqlx::query_as(TARGET).bind(source).fetch_optional(&mut *tx).await?;
            return Ok(taken.map_or(Begun::Stale, Begun::Busy));
        }
        tx.commit().await?;
        Ok(Begun::Done)
    }

    async fn import_source(&self, id: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(SOURCE).bind(id).fetch_optional(self.pools.reader()).await?)
    }

    async fn end_import(&self, operation: &OperationRow) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        let done = sqlx::query(REMOVE)
            .bind(&operation.id)
            .bind(&operation.owner)
            .bind(operation.fence)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(RELEASE).bind(&operation.id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}
