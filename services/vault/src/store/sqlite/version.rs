//! Previous secrets in SQLite.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::credential::check_revision;
use super::request::claim;
use super::{Connection, Store};
use crate::store::version::{DELETE, INSERT, REPLACE, Replacement, SELECT, VersionRow, VersionStore};
use crate::store::{Changed, NewEvent, Once, RequestRow};

#[async_trait]
impl VersionStore for Store {
    async fn replace_secret(
        &self,
        replacement: &Replacement,
        request: Option<&RequestRow>,
        event: &NewEvent,
    ) -> Result<Once<Changed<()>>> {
        let mut tx = self.begin().await?;
        if let Some(earlier) = claim(&mut tx, request).await? {
            return Ok(Once::Repeated(earlier));
        }
        match check_revision(&mut tx, &replacement.credential_id, Some(replacement.revision)).await? {
            Changed::Done(()) => {}
            refused => return Ok(Once::First(refused)),
        }
        let done = sqlx::query(REPLACE)
            .bind(&replacement.credential_id)
            .bind(&replacement.secret)
            .bind(&replacement.preview)
            .bind(replacement.now)
            .execute(&mut *tx)
            .await?;
        expect_rows("credentials", done.rows_affected(), 1)?;
        sqlx::query(DELETE).bind(&replacement.credential_id).execute(&mut *tx).await?;
        if let Some(previous) = &replacement.previous {
            insert(&mut tx, previous).await?;
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Once::First(Changed::Done(())))
    }

    async fn previous_secret(&self, credential_id: &str, now: i64) -> Result<Option<VersionRow>> {
        let query = sqlx::query_as(SELECT).bind(credential_id).bind(now);
        Ok(query.fetch_optional(self.reader()).await?)
    }
}

async fn insert(tx: &mut Connection, row: &VersionRow) -> Result<()> {
    let done = sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.credential_id)
        .bind(&row.secret)
        .bind(&row.preview)
        .bind(row.create_time)
        .bind(row.expire_time)
        .execute(tx)
        .await?;
    expect_rows("credential_versions", done.rows_affected(), 1)
}
