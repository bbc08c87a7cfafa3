//! The audit log in PostgreSQL.

use async_trait::async_trait;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use strongroom_store::{Result, expect_rows};

use super::PostgresStore;
use crate::store::audit::{
    ADVANCE_HEAD, CLOSE_BATCH, HEAD, INSERT, OPEN_OPERATIONS, SELECT, SEQUENCE_OF_OPERATION,
};
use crate::store::credential::USE;
use crate::store::{AuditHead, AuditRow, AuditStore, CloseFilter, EventFilter, NewEvent, Use};

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append_event(&self, event: &NewEvent) -> Result<i64> {
        let mut tx = self.begin_alone().await?;
        if let Some(sequence) = recorded(&mut tx, event).await? {
            return Ok(sequence);
        }
        let sequence = append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(sequence)
    }

    async fn append_uses(&self, uses: &[Use]) -> Result<()> {
        let mut tx = self.begin().await?;
        for used in uses {
            if let Some(credential_id) = &used.credential_id {
                sqlx::query(USE).bind(credential_id).bind(used.event.time).execute(&mut *tx).await?;
            }
        }
        for used in uses {
            append(&mut tx, &used.event).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn events(&self, filter: &EventFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>> {
        let mut query = QueryBuilder::<Postgres>::new(SELECT);
        query.push(" WHERE sequence < ").push_bind(before);
        push_filter(&mut query, filter);
        query.push(" ORDER BY sequence DESC LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    async fn audit_head(&self) -> Result<AuditHead> {
        Ok(sqlx::query_as(HEAD).fetch_one(&self.pool).await?)
    }

    async fn close_operations(&self, filter: &CloseFilter, now: i64) -> Result<i64> {
        let mut tx = self.begin_alone().await?;
        let open: Vec<AuditRow> = sqlx::query_as(OPEN_OPERATIONS)
            .bind(&filter.started_event)
            .bind(&filter.ended_event)
            .bind(CLOSE_BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let mut closed = 0;
        for started in open.iter().filter(|started| filter.matches(started)) {
            append(&mut tx, &filter.closing(started, now)).await?;
            closed += 1;
        }
        tx.commit().await?;
        Ok(closed)
    }
}

async fn recorded(tx: &mut PgConnection, event: &NewEvent) -> Result<Option<i64>> {
    let Some(operation_id) = &event.operation_id else { return Ok(None) };
    let query = sqlx::query_scalar(SEQUENCE_OF_OPERATION).bind(operation_id).bind(&event.event);
    Ok(query.fetch_optional(tx).await?)
}

/// Gives the event its place and writes it: the last step of every change.
pub(super) async fn append(tx: &mut PgConnection, event: &NewEvent) -> Result<i64> {
    let sequence: i64 = sqlx::query_scalar(ADVANCE_HEAD).bind(event.time).fetch_one(&mut *tx).await?;
    let done = sqlx::query(INSERT)
        .bind(sequence)
        .bind(event.time)
        .bind(&event.actor)
        .bind(&event.via)
        .bind(&event.event)
        .bind(&event.target)
        .bind(&event.metadata)
        .bind(&event.trace_id)
        .bind(&event.outcome)
        .bind(&event.operation_id)
        .execute(tx)
        .await?;
    expect_rows("audit_logs", done.rows_affected(), 1)?;
    Ok(sequence)
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
    if let Some((first, last)) = filter.family() {
        query.push(" AND event >= ").push_bind(first).push(" AND event < ").push_bind(last);
    } else if !filter.event.is_empty() {
        query.push(" AND event = ").push_bind(filter.event.clone());
    }
    if !filter.actor.is_empty() {
        query.push(" AND actor = ").push_bind(filter.actor.clone());
    }
    if !filter.target.is_empty() {
        query.push(" AND target = ").push_bind(filter.target.clone());
    }
    if let Some(since) = filter.since {
        query.push(" AND time >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND time < ").push_bind(until);
    }
}
