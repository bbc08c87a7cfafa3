//! Previous secrets in SQLite.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::credential::update;
use super::request::claim;
use super::{Connection, Store};
use crate::store::granting::Seal;
use crate::store::version::{DELETE, INSERT, Replacement, SELECT, VersionRow, VersionStore};
use crate::store::{Changed, CredentialRow, NewEvent, Once, RequestRow};

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
        let id = &replacement.credential_id;
        let row = match self.at_revision(&mut tx, id, Some(replacement.revision)).await? {
            Changed::Done(row) => row,
            refused => return Ok(Once::First(refused.without_row())),
        };
        let row = CredentialRow {
            secret: replacement.secret.clone(),
            preview: replacement.preview.clone(),
            update_time: replacement.now,
            // Strictly increasing even if a clock went back: a restore uses it to tell which secret is newer.
            secret_time: replacement.now.max(row.secret_time + 1),
            revision: row.revision + 1,
            ..row
        };
        update(&mut tx, &row, self.codes.seal(&row, event)?).await?;
        sqlx::query(DELETE).bind(&replacement.credential_id).execute(&mut *tx).await?;
        if let Some(previous) = &replacement.previous {
            insert(&mut tx, previous, self.codes.seal(previous, event)?).await?;
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Once::First(Changed::Done(())))
    }

    async fn previous_secret(&self, credential_id: &str, now: i64) -> Result<Option<VersionRow>> {
        let query = sqlx::query_as(SELECT).bind(credential_id).bind(now);
        self.codes.open_found(query.fetch_optional(self.reader()).await?)
    }
}

async fn insert(tx: &mut Connection, row: &VersionRow, seal: Seal) -> Result<()> {
    let done = sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.credential_id)
        .bind(&row.secret)
        .bind(&row.preview)
        .bind(row.create_time)
        .bind(row.expire_time)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .execute(tx)
        .await?;
    expect_rows("credential_versions", done.rows_affected(), 1)
}
