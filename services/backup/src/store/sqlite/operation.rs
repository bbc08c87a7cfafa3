//! Operations in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::locks::{LOCK_PROCESS, LOCK_PROCESSES, LOCK_UNFENCED};
use super::{Connection, Store};
use crate::store::operation::{INSERT, OF_OWNER, RAISE_FENCES, REMOVE};
use crate::store::process::SET_HEIR;
use crate::store::{OperationRow, OperationStore, ProcessRow};

#[async_trait]
impl OperationStore for Store {
    async fn operations(&self, owner: &str) -> Result<Vec<OperationRow>> {
        Ok(sqlx::query_as(OF_OWNER).bind(owner).fetch_all(self.pools.reader()).await?)
    }

    async fn take_over(&self, dead: &str, beat: i64, heir: &str) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        let pair: Vec<ProcessRow> =
            sqlx::query_as(LOCK_PROCESSES).bind(dead).bind(heir).fetch_all(&mut *tx).await?;
        let serving = |id: &str| pair.iter().find(|process| process.id == id && process.serves());
        let stands_still = serving(dead).is_some_and(|process| process.beat == beat);
        if dead == heir || !stands_still || serving(heir).is_none() {
            return Ok(false);
        }
        sqlx::query(RAISE_FENCES).bind(dead).execute(&mut *tx).await?;
        sqlx::query(SET_HEIR).bind(dead).bind(heir).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn end_operation(&self, operation: &OperationRow) -> Result<bool> {
        let done = sqlx::query(REMOVE)
            .bind(&operation.id)
            .bind(&operation.owner)
            .bind(operation.fence)
            .execute(self.pools.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Adds an operation; false if its process was declared dead.
pub(super) async fn insert(tx: &mut Connection, operation: &OperationRow) -> Result<bool> {
    let owner: Option<ProcessRow> =
        sqlx::query_as(LOCK_PROCESS).bind(&operation.owner).fetch_optional(&mut *tx).await?;
    if !owner.is_some_and(|process| process.serves()) {
        return Ok(false);
    }
    sqlx::query(INSERT)
        .bind(&operation.id)
        .bind(&operation.kind)
        .bind(&operation.owner)
        .bind(operation.fence)
        .bind(&operation.delegation)
        .bind(&operation.target)
        .bind(&operation.trace_id)
        .bind(operation.start_time)
        .execute(tx)
        .await?;
    Ok(true)
}

/// Whether the operation still belongs to its owner. If so, nobody can take it over before the caller's transaction
/// ends.
pub(super) async fn is_unfenced(tx: &mut Connection, operation: &OperationRow) -> Result<bool> {
    let found = sqlx::query(LOCK_UNFENCED)
        .bind(&operation.id)
        .bind(&operation.owner)
        .bind(operation.fence)
        .fetch_optional(tx)
        .await?;
    Ok(found.is_some())
}
