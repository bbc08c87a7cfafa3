//! API tokens in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::lists::{in_list, list};
use super::locks::LOCK_TOKEN;
use super::{Codes, Connection, Store};
use crate::store::granting::{Seal, Sealed};
use crate::store::lineage::Lineages;
use crate::store::token::{
    HAS_TRACES, Hashes, INSERT, LINEAGE_BY_HASH, LINEAGE_BY_ID, LINEAGE_BY_INTROSPECT_HASH,
    LINEAGES_REMAINING, LIST, Reissue, Remaining, Revocation, SELECT_BY_ID, TOUCH, UPDATE, select_lineages,
};
use crate::store::{NewEvent, TokenRow, TokenStore};

const LINEAGES: &str = select_lineages!(concat!("id", in_list!("$1")));

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
        if sqlx::query_scalar(HAS_TRACES).fetch_one(&mut *tx).await? {
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

    async fn ever_had_tokens(&self) -> Result<bool> {
        Ok(sqlx::query_scalar(HAS_TRACES).fetch_one(self.reader()).await?)
    }

    async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<(String, Lineages)>> {
        let rows = sqlx::query_as(LINEAGE_BY_HASH).bind(hash).fetch_all(self.reader()).await?;
        let rows: Vec<TokenRow> = self.codes.open_all(rows)?;
        let found = rows.iter().find(|row| row.hash == hash).map(|row| row.id.clone());
        Ok(found.map(|id| (id, Lineages::of(rows))))
    }

    async fn token_by_introspect_hash(&self, hash: &[u8]) -> Result<Option<(String, Lineages)>> {
        let rows = sqlx::query_as(LINEAGE_BY_INTROSPECT_HASH).bind(hash).fetch_all(self.reader()).await?;
        let rows: Vec<TokenRow> = self.codes.open_all(rows)?;
        let found =
            rows.iter().find(|row| row.introspect_hash.as_deref() == Some(hash)).map(|row| row.id.clone());
        Ok(found.map(|id| (id, Lineages::of(rows))))
    }

    async fn token(&self, id: &str) -> Result<Option<TokenRow>> {
        self.codes.open_found(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn tokens(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>> {
        let mut tokens = Vec::new();
        let mut after = (after.0, after.1.to_owned());
        loop {
            let query = sqlx::query_as(LIST).bind(after.0).bind(&after.1).bind(limit);
            let rows: Vec<Sealed<TokenRow>> = query.fetch_all(self.reader()).await?;
            match self.codes.open_page(&mut tokens, rows, |_| true, limit)? {
                Some(last) => after = (last.create_time, last.id),
                None => return Ok(tokens),
            }
        }
    }

    async fn lineages(&self, ids: &[String]) -> Result<Lineages> {
        let ids = list(ids.iter().map(String::as_str).collect());
        let rows = sqlx::query_as(LINEAGES).bind(ids).fetch_all(self.reader()).await?;
        Ok(Lineages::of(self.codes.open_list(rows)?))
    }

    async fn revoke_token(
        &self,
        id: &str,
        now: i64,
        remaining: Option<Remaining<'_>>,
        event: &NewEvent,
    ) -> Result<Revocation> {
        let mut tx = self.begin_alone().await?;
        let Some(token) = live_token(&mut tx, &self.codes, id).await? else {
            return Ok(Revocation::Unchanged);
        };
        if let Some(remaining) = remaining {
            let rows = sqlx::query_as(LINEAGES_REMAINING)
                .bind(remaining.role)
                .bind(remaining.service)
                .fetch_all(&mut *tx)
                .await?;
            // A row without a valid MAC grants nothing, so it cannot be the token that remains.
            if Lineages::of(self.codes.open_list(rows)?).loses_last(&remaining, id, now) {
                return Ok(Revocation::Last);
            }
        }
        let revoked = TokenRow { revoke_time: Some(now), ..token };
        update(&mut tx, &revoked, self.codes.seal(&revoked, event)?).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Revocation::Done)
    }

    async fn renew_token(&self, id: &str, from: &[u8], to: &Hashes, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let Some(token) = live_token(&mut tx, &self.codes, id).await?.filter(|token| token.hash == from)
        else {
            return Ok(false);
        };
        let (hash, introspect_hash) = (to.hash.clone(), Some(to.introspect_hash.clone()));
        let renewed = TokenRow { hash, introspect_hash, renewed: token.enrolled, ..token };
        update(&mut tx, &renewed, self.codes.seal(&renewed, event)?).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn reissue_token(&self, row: &TokenRow, event: &NewEvent) -> Result<Reissue> {
        let mut tx = self.begin_alone().await?;
        let Some(token) = live_token(&mut tx, &self.codes, &row.id).await? else { return Ok(Reissue::Ended) };
        if let Some(issuer) = row.issuer_token() {
            let above = sqlx::query_as(LINEAGE_BY_ID).bind(issuer).fetch_all(&mut *tx).await?;
            if Lineages::of(self.codes.open_all(above)?).goes_back_to(issuer, &row.id) {
                return Ok(Reissue::Circular);
            }
        }
        let reissued = TokenRow {
            hash: row.hash.clone(),
            introspect_hash: row.introspect_hash.clone(),
            issuer: row.issuer.clone(),
            expire_time: row.expire_time,
            service: row.service.clone(),
            break_glass: false,
            person: row.person.clone(),
            enrolled: false,
            renewed: false,
            issue_time: row.issue_time,
            cut_time: row.cut_time,
            stale_time: None,
            ..token
        };
        update(&mut tx, &reissued, self.codes.seal(&reissued, event)?).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Reissue::Done)
    }

    async fn touch_token(&self, id: &str, now: i64) -> Result<()> {
        let done = sqlx::query(TOUCH).bind(id).bind(now).execute(self.writer()).await?;
        expect_rows("api_tokens", done.rows_affected(), 1)
    }
}

/// A token that was not revoked, locked for a change.
pub(super) async fn live_token(tx: &mut Connection, codes: &Codes, id: &str) -> Result<Option<TokenRow>> {
    let found = sqlx::query_as(LOCK_TOKEN).bind(id).fetch_optional(tx).await?;
    let token: Option<TokenRow> = codes.open_found(found)?;
    Ok(token.filter(|token| token.revoke_time.is_none()))
}

pub(super) async fn insert(tx: &mut Connection, row: &TokenRow, seal: &Seal) -> Result<()> {
    let done = sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.hash)
        .bind(&row.name)
        .bind(&row.role)
        .bind(&row.issuer)
        .bind(row.create_time)
        .bind(row.expire_time)
        .bind(&row.selectors)
        .bind(&row.service)
        .bind(row.break_glass)
        .bind(&row.person)
        .bind(row.enrolled)
        .bind(row.renewed)
        .bind(&row.introspect_hash)
        .bind(&seal.row_kid)
        .bind(&seal.row_mac)
        .bind(&seal.change_id)
        .bind(row.issue_time)
        .bind(row.stale_time)
        .execute(tx)
        .await?;
    expect_rows("api_tokens", done.rows_affected(), 1)
}

pub(super) async fn update(tx: &mut Connection, row: &TokenRow, seal: Seal) -> Result<()> {
    let done = sqlx::query(UPDATE)
        .bind(&row.id)
        .bind(&row.hash)
        .bind(&row.issuer)
        .bind(row.expire_time)
        .bind(row.revoke_time)
        .bind(&row.service)
        .bind(row.break_glass)
        .bind(&row.person)
        .bind(row.enrolled)
        .bind(row.renewed)
        .bind(&row.introspect_hash)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .bind(row.issue_time)
        .bind(row.cut_time)
        .bind(row.stale_time)
        .execute(tx)
        .await?;
    expect_rows("api_tokens", done.rows_affected(), 1)
}
