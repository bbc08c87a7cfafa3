//! Requests for refused retirements in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::{Codes, Connection, Store};
use crate::store::granting::Seal;
use crate::store::key_request::{COUNT_USES, INSERT, LIST_OPEN, SELECT_BY_ID, SELECT_OPEN, UPDATE};
use crate::store::{KeyApproval, KeyRequestRow, KeyRequestStore, NewEvent};

#[async_trait]
impl KeyRequestStore for Store {
    async fn open_key_request(&self, request: &KeyRequestRow, event: &NewEvent) -> Result<KeyRequestRow> {
        let mut tx = self.begin_alone().await?;
        let open = sqlx::query_as(SELECT_OPEN)
            .bind(&request.kid)
            .bind(request.action.as_str())
            .bind(&request.requester_person)
            .bind(request.create_time)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(open) = self.codes.open_found(open)? {
            return Ok(open);
        }
        let seal = self.codes.seal(request, event)?;
        sqlx::query(INSERT)
            .bind(&request.id)
            .bind(&request.kid)
            .bind(request.action.as_str())
            .bind(&request.requester)
            .bind(&request.requester_person)
            .bind(&request.approver)
            .bind(request.create_time)
            .bind(request.expire_time)
            .bind(seal.row_kid)
            .bind(seal.row_mac)
            .bind(seal.change_id)
            .execute(&mut *tx)
            .await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(request.clone())
    }

    async fn key_request(&self, id: &str) -> Result<Option<KeyRequestRow>> {
        self.codes.open_found(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn open_key_requests(&self, now: i64) -> Result<Vec<KeyRequestRow>> {
        self.codes.open_all(sqlx::query_as(LIST_OPEN).bind(now).fetch_all(self.reader()).await?)
    }

    async fn approve_key_request(&self, approval: &KeyApproval, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let found = sqlx::query_as(SELECT_BY_ID).bind(&approval.request_id).fetch_optional(&mut *tx).await?;
        let is_expected = |request: &KeyRequestRow| {
            request.is_open(approval.now) && request.approver == approval.instead_of
        };
        let Some(request) = self.codes.open_found(found)?.filter(is_expected) else { return Ok(false) };
        let (approver, approver_person) = (approval.approver.clone(), approval.person.clone());
        let approved = KeyRequestRow { approver, approver_person, ..request };
        update(&mut tx, &approved, self.codes.seal(&approved, event)?).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Consumes an approved request in the change that it allows; false if it is not approved or not open.
pub(super) async fn consume(
    tx: &mut Connection,
    codes: &Codes,
    id: &str,
    now: i64,
    event: &NewEvent,
) -> Result<bool> {
    let found = sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(&mut *tx).await?;
    let Some(request) = codes.open_found(found)?.filter(|request: &KeyRequestRow| request.is_open(now))
    else {
        return Ok(false);
    };
    // An attacker may have put back the row from before it was consumed: the log shows that it was used.
    let used: i64 = sqlx::query_scalar(COUNT_USES).bind(&request.kid).bind(id).fetch_one(&mut *tx).await?;
    if request.approver.is_empty() || used > 0 {
        return Ok(false);
    }
    let consumed = KeyRequestRow { consume_time: Some(now), ..request };
    update(tx, &consumed, codes.seal(&consumed, event)?).await?;
    Ok(true)
}

async fn update(tx: &mut Connection, request: &KeyRequestRow, seal: Seal) -> Result<()> {
    let done = sqlx::query(UPDATE)
        .bind(&request.id)
        .bind(&request.approver)
        .bind(request.consume_time)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .bind(&request.approver_person)
        .execute(tx)
        .await?;
    expect_rows("key_requests", done.rows_affected(), 1)
}
