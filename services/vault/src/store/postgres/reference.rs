//! References in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Postgres, QueryBuilder};
use strongroom_store::Result;

use super::PostgresStore;
use super::audit::append;
use super::credential::LOCK_REVISION;
use crate::store::reference::{BIND, RELEASE, SELECT};
use crate::store::{Changed, NewEvent, ReferenceFilter, ReferenceRow, ReferenceStore};

#[async_trait]
impl ReferenceStore for PostgresStore {
    async fn bind_reference(&self, row: &ReferenceRow, event: &NewEvent) -> Result<Changed<ReferenceRow>> {
        let mut tx = self.begin().await?;
        let credential: Option<i64> =
            sqlx::query_scalar(LOCK_REVISION).bind(&row.credential_id).fetch_optional(&mut *tx).await?;
        if credential.is_none() {
            return Ok(Changed::Missing);
        }
        let bound = sqlx::query_as(BIND)
            .bind(&row.kind)
            .bind(&row.consumer)
            .bind(&row.credential_id)
            .bind(&row.needs_provider)
            .bind(row.create_time)
            .bind(row.update_time)
            .fetch_one(&mut *tx)
            .await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Changed::Done(bound))
    }

    async fn references(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>> {
        let mut query = QueryBuilder::<Postgres>::new(SELECT);
        query.push(" WHERE (kind, consumer) > (").push_bind(after.0).push(", ").push_bind(after.1).push(")");
        if !filter.credential_id.is_empty() {
            query.push(" AND credential_id = ").push_bind(&filter.credential_id);
        }
        if !filter.kind.is_empty() {
            query.push(" AND kind = ").push_bind(&filter.kind);
        }
        query.push(" ORDER BY kind, consumer LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    async fn release_reference(&self, kind: &str, consumer: &str, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(RELEASE).bind(kind).bind(consumer).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
