//! Requests in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::{Connection, Store};
use crate::store::request::{CLAIM, KEPT, RequestRow, RequestStore, SELECT, SWEEP};
use crate::store::version;

#[async_trait]
impl RequestStore for Store {
    async fn request(
        &self,
        principal: &str,
        method: &str,
        request_id: &str,
        now: i64,
    ) -> Result<Option<RequestRow>> {
        let query = sqlx::query_as(SELECT).bind(principal).bind(method).bind(request_id).bind(now - KEPT);
        Ok(query.fetch_optional(self.reader()).await?)
    }

    async fn sweep(&self, now: i64) -> Result<u64> {
        let requests = sqlx::query(SWEEP).bind(now - KEPT).execute(self.writer()).await?;
        let versions = sqlx::query(version::SWEEP).bind(now).execute(self.writer()).await?;
        Ok(requests.rows_affected() + versions.rows_affected())
    }
}

/// Claims the request for the running transaction; returns the earlier one if it was made before.
pub(super) async fn claim(tx: &mut Connection, request: Option<&RequestRow>) -> Result<Option<RequestRow>> {
    let Some(request) = request else { return Ok(None) };
    let forgotten = request.create_time - KEPT;
    let claimed = sqlx::query(CLAIM)
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.request_id)
        .bind(&request.digest)
        .bind(&request.result_id)
        .bind(request.create_time)
        .bind(forgotten)
        .execute(&mut *tx)
        .await?;
    if claimed.rows_affected() > 0 {
        return Ok(None);
    }
    let earlier = sqlx::query_as(SELECT)
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.request_id)
        .bind(forgotten);
    Ok(Some(earlier.fetch_one(tx).await?))
}
