//! References in SQLite.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use strongroom_runtime::Selectors;
use strongroom_store::Result;

use super::SqliteStore;
use super::audit::append;
use crate::store::credential::REVISION;
use crate::store::reassignment::counted;
use crate::store::reference::{BIND, COUNT_VIA, DELETE_FALLBACKS, INSERT_FALLBACK, RELEASE, SELECT, VIA_OF};
use crate::store::resolution::push_candidates;
use crate::store::selection::push_reference;
use crate::store::{
    Bound, CandidateRow, NewEvent, Reassigned, Reassignment, ReferenceFilter, ReferenceRow, ReferenceStore,
};

#[async_trait]
impl ReferenceStore for SqliteStore {
    async fn bind_reference(
        &self,
        row: &ReferenceRow,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Bound> {
        let mut tx = self.begin().await?;
        for id in row.credential_ids() {
            if !exists(&mut tx, id).await? {
                return Ok(Bound::Missing(id.to_owned()));
            }
        }
        if let Some(refused) = check_via(&mut tx, row).await? {
            return Ok(refused);
        }
        let everything = Selectors::default();
        if let Some(earlier) = find(&mut tx, &row.kind, &row.consumer, &everything).await?
            && !earlier.leads_nowhere()
            && find(&mut tx, &row.kind, &row.consumer, selection).await?.is_none()
        {
            return Ok(Bound::Outside);
        }
        write(&mut tx, row).await?;
        if !row.via_kind.is_empty() && leads_others(&mut tx, row).await? {
            return Ok(Bound::ViaIndirect);
        }
        let Some(bound) = find(&mut tx, &row.kind, &row.consumer, &everything).await? else {
            return Ok(Bound::ViaMissing);
        };
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Bound::Done(bound))
    }

    async fn reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
    ) -> Result<Option<ReferenceRow>> {
        let mut reader = self.pools.readers.acquire().await?;
        find(&mut reader, kind, consumer, selection).await
    }

    async fn references(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push(" WHERE (r.kind, r.consumer) > (").push_bind(after.0);
        query.push(", ").push_bind(after.1).push(")");
        push_filter(&mut query, filter);
        query.push(" ORDER BY r.kind, r.consumer LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pools.readers).await?)
    }

    async fn candidates(
        &self,
        references: &[(String, String)],
        selection: &Selectors,
    ) -> Result<Vec<CandidateRow>> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "WITH asked AS (SELECT value->>0 AS kind, value->>1 AS consumer FROM json_each(",
        );
        query.push_bind(serde_json::json!(references).to_string()).push(")), ");
        push_candidates(&mut query, selection);
        Ok(query.build_query_as().fetch_all(&self.pools.readers).await?)
    }

    async fn reassign_references(&self, moved: &Reassignment<'_>, event: &NewEvent) -> Result<Reassigned> {
        let mut tx = self.begin().await?;
        for id in moved.credentials() {
            if !exists(&mut tx, id).await? {
                return Ok(Reassigned::Missing(id.to_owned()));
            }
        }
        let mut mismatch = moved.mismatch::<Sqlite>();
        if let Some(row) = mismatch.build_query_as().fetch_optional(&mut *tx).await? {
            return Ok(Reassigned::Mismatch(row));
        }
        let bindings = moved.bindings::<Sqlite>().build().execute(&mut *tx).await?.rows_affected();
        let fallbacks = moved.fallbacks::<Sqlite>().build().execute(&mut *tx).await?.rows_affected();
        moved.repeated::<Sqlite>().build().execute(&mut *tx).await?;
        append(&mut tx, &counted(event, bindings + fallbacks)).await?;
        tx.commit().await?;
        Ok(Reassigned::Done(i64::try_from(bindings + fallbacks).unwrap_or(i64::MAX)))
    }

    async fn release_reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        if find(&mut tx, kind, consumer, selection).await?.is_none() {
            return Ok(false);
        }
        let done = sqlx::query(RELEASE).bind(kind).bind(consumer).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn exists(tx: &mut SqliteConnection, credential_id: &str) -> Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(REVISION).bind(credential_id).fetch_optional(tx).await?;
    Ok(found.is_some())
}

async fn find(
    connection: &mut SqliteConnection,
    kind: &str,
    consumer: &str,
    selection: &Selectors,
) -> Result<Option<ReferenceRow>> {
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push(" WHERE r.kind = ").push_bind(kind).push(" AND r.consumer = ").push_bind(consumer);
    query.push(" AND ");
    push_reference(&mut query, selection);
    Ok(query.build_query_as().fetch_optional(connection).await?)
}

/// Why the reference cannot go through the one that it names.
async fn check_via(tx: &mut SqliteConnection, row: &ReferenceRow) -> Result<Option<Bound>> {
    if row.via_kind.is_empty() {
        return Ok(None);
    }
    let template: Option<String> =
        sqlx::query_scalar(VIA_OF).bind(&row.via_kind).bind(&row.via_consumer).fetch_optional(tx).await?;
    Ok(match template.as_deref() {
        None => Some(Bound::ViaMissing),
        Some("") => None,
        Some(_) => Some(Bound::ViaIndirect),
    })
}

/// Whether others go through it.
async fn leads_others(tx: &mut SqliteConnection, row: &ReferenceRow) -> Result<bool> {
    let others: i64 = sqlx::query_scalar(COUNT_VIA).bind(&row.kind).bind(&row.consumer).fetch_one(tx).await?;
    Ok(others > 0)
}

async fn write(tx: &mut SqliteConnection, row: &ReferenceRow) -> Result<()> {
    sqlx::query(BIND)
        .bind(&row.kind)
        .bind(&row.consumer)
        .bind(&row.credential_id)
        .bind(&row.needs_provider)
        .bind(row.create_time)
        .bind(row.update_time)
        .bind(&row.via_kind)
        .bind(&row.via_consumer)
        .execute(&mut *tx)
        .await?;
    sqlx::query(DELETE_FALLBACKS).bind(&row.kind).bind(&row.consumer).execute(&mut *tx).await?;
    for (position, id) in (0_i64..).zip(row.fallback_ids()) {
        sqlx::query(INSERT_FALLBACK)
            .bind(&row.kind)
            .bind(&row.consumer)
            .bind(position)
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &ReferenceFilter) {
    if !filter.credential_id.is_empty() {
        let id = &filter.credential_id;
        query.push(" AND (r.kind, r.consumer) IN (");
        query.push("SELECT kind, consumer FROM credential_references WHERE credential_id = ").push_bind(id);
        query.push(" UNION ALL ");
        query.push("SELECT kind, consumer FROM credential_fallbacks WHERE credential_id = ").push_bind(id);
        query.push(")");
    }
    if !filter.kind.is_empty() {
        query.push(" AND r.kind = ").push_bind(&filter.kind);
    }
    if !filter.selection.is_everything() {
        query.push(" AND ");
        push_reference(query, &filter.selection);
    }
}
