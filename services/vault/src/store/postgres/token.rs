//! API tokens in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::locks::LOCK_TOKEN;
use super::{Connection, Store};
use crate::store::granting::{Seal, Sealed};
use crate::store::token::{
    COUNT, INSERT, LIST, REVOKE, SELECT_BY_HASH, SELECT_BY_ID, SELECT_BY_INTROSPECT_HASH, TOUCH,
};
use crate::store::{NewEvent, TokenRow, TokenStore};

#[async_trait]
impl TokenStore for Store {
    async fn create_token(&self, row: &TokenRow, event: &NewEvent) -> Result<()> {
        let seal = self.codes.seal(row, event)?;
        let mut tx = self.begin().await?;
        insert(&mut tx, row, &seal).await?;
        append(&mut tx, event).await?;
        tx.commit().await
    }

    async fn create_first_tokens(&self, tokens: &[(TokenRow, NewEvent)]) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let existing: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *tx).await?;
        if existing > 0 {
            return Ok(false);
        }
        for (row, event) in tokens {
            insert(&mut tx, row, &self.codes.seal(row, event)?).await?;
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
        self.codes.open_found(sqlx::query_as(SELECT_BY_HASH).bind(hash).fetch_optional(self.reader()).await?)
    }

    async fn token_by_introspect_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>> {
        let query = sqlx::query_as(SELECT_BY_INTROSPECT_HASH).bind(hash);
        self.codes.open_found(query.fetch_optional(self.reader()).await?)
    }

    async fn token(&self, id: &str) -> Result<Option<TokenRow>> {
        self.codes.open_found(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn tokens(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>> {
        let query = sqlx::query_as(LIST).bind(after.0).bind(after.1).bind(limit);
        let rows: Vec<Sealed<TokenRow>> = query.fetch_all(self.reader()).await?;
        rows.into_iter().map(|sealed| self.codes.open(sealed)).collect()
    }

    async fn revoke_token(&self, id: &str, now: i64, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin().await?;
        let found = sqlx::query_as(LOCK_TOKEN).bind(id).fetch_optional(&mut *tx).await?;
        let Some(token) =
            self.codes.open_found(found)?.filter(|token: &TokenRow| token.revoke_time.is_none())
        else {
            return Ok(false);
        };
        let revoked = TokenRow { revoke_time: Some(now), ..token };
        let seal = self.codes.seal(&revoked, event)?;
        let update =
            sqlx::query(REVOKE).bind(id).bind(now).bind(seal.row_kid).bind(seal.row_mac).bind(seal.change_id);
        expect_rows("api_tokens", update.execute(&mut *tx).await?.rows_affected(), 1)?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn touch_token(&self, id: &str, now: i64) -> Result<()> {
        let done = sqlx::query(TOUCH).bind(id).bind(now).execute(self.writer()).await?;
        expect_rows("api_tokens", done.rows_affected(), 1)
    }
}

async fn insert(tx: &mut Connection, row: &TokenRow, seal: &Seal) -> Result<()> {
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
        .bind(&seal.row_kid)
        .bind(&seal.row_mac)
        .bind(&seal.change_id)
        .execute(tx)
        .await?;
    expect_rows("api_tokens", done.rows_affected(), 1)
}
