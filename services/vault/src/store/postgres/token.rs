//! API tokens in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::{Connection, Store};
use crate::store::token::{
    COUNT, INSERT, LIST, REVOKE, SELECT_BY_HASH, SELECT_BY_ID, SELECT_BY_INTROSPECT_HASH, TOUCH,
};
use crate::store::{NewEvent, TokenRow, TokenStore};

#[async_trait]
impl TokenStore for Store {
    async fn create_token(&self, row: &TokenRow, event: &NewEvent) -> Result<()> {
        let mut tx = self.begin().await?;
        insert(&mut tx, row).await?;
        append(&mut tx, event).await?;
        tx.commit().await
    }

    async fn create_first_tokens(&self, tokens: &[(TokenRow, NewEvent)]) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let existing: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *tx).await?;
        if existing > 0 {
            return Ok(false);
        }
        for (row, _) in tokens {
            insert(&mut tx, row).await?;
        }
        for (_, event) in tokens {
            append(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn has_tokens(&self) -> Result<bool> {
        let existing: i64 = sqlx::query_scalar(COUNT).fetch_one(self.reader()).await?;
        Ok(existing > 0)
    }

    async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>> {
        Ok(sqlx::query_as(SELECT_BY_HASH).bind(hash).fetch_optional(self.reader()).await?)
    }

    async fn token_by_introspect_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>> {
        let query = sqlx::query_as(SELECT_BY_INTROSPECT_HASH).bind(hash);
        Ok(query.fetch_optional(self.reader()).await?)
    }

    async fn token(&self, id: &str) -> Result<Option<TokenRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn tokens(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>> {
        let query = sqlx::query_as(LIST).bind(after.0).bind(after.1).bind(limit);
        Ok(query.fetch_all(self.reader()).await?)
    }

    async fn revoke_token(&self, id: &str, now: i64, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(REVOKE).bind(id).bind(now).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn touch_token(&self, id: &str, now: i64) -> Result<()> {
        let done = sqlx::query(TOUCH).bind(id).bind(now).execute(self.writer()).await?;
        expect_rows("api_tokens", done.rows_affected(), 1)
    }
}

async fn insert(tx: &mut Connection, row: &TokenRow) -> Result<()> {
    let done = sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.hash)
        .bind(&row.name)
        .bind(&row.role)
        .bind(&row.issuer)
        .bind(row.create_time)
        .bind(row.expire_time)
        .bind(&row.selectors)
        .bind(&row.introspect_hash)
        .execute(tx)
        .await?;
    expect_rows("api_tokens", done.rows_affected(), 1)
}
