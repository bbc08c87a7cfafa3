//! Refused retirements in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::append::append;
use crate::store::key_request::{APPROVE, INSERT, LIST_OPEN, SELECT_BY_ID, SELECT_OPEN};
use crate::store::{KeyRequestRow, KeyRequestStore, NewEvent};

#[async_trait]
impl KeyRequestStore for Store {
    async fn open_key_request(&self, request: &KeyRequestRow, event: &NewEvent) -> Result<KeyRequestRow> {
        let mut tx = self.begin_alone().await?;
        let open: Option<KeyRequestRow> = sqlx::query_as(SELECT_OPEN)
            .bind(&request.kid)
            .bind(request.action.as_str())
            .bind(&request.requester)
            .bind(request.create_time)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(open) = open {
            return Ok(open);
        }
        sqlx::query(INSERT)
            .bind(&request.id)
            .bind(&request.kid)
            .bind(request.action.as_str())
            .bind(&request.requester)
            .bind(&request.approver)
            .bind(request.create_time)
            .bind(request.expire_time)
            .execute(&mut *tx)
            .await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(request.clone())
    }

    async fn key_request(&self, id: &str) -> Result<Option<KeyRequestRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn open_key_requests(&self, now: i64) -> Result<Vec<KeyRequestRow>> {
        Ok(sqlx::query_as(LIST_OPEN).bind(now).fetch_all(self.reader()).await?)
    }

    async fn approve_key_request(
        &self,
        id: &str,
        approver: &str,
        now: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let done = sqlx::query(APPROVE).bind(id).bind(approver).bind(now).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
