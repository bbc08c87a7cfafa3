//! The audit log in SQLite.

use std::sync::PoisonError;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use strongroom_store::{Result, expect_rows};

use super::SqliteStore;
use super::change::Change;
use crate::store::ChainKey;
use crate::store::audit::{
    ADVANCE_HEAD, CHAIN_PAGE, CHECKPOINT, CLOSE_BATCH, CODE_OF, FIRST, HEAD, INSERT_CHECKPOINT,
    OPEN_OPERATIONS, PRUNABLE, PRUNE, SELECT, SELECT_CHAINED, SEQUENCE_OF_OPERATION, no_chain, unwritable,
};
use crate::store::{
    AuditHead, AuditRow, AuditStore, ChainReader, ChainedRow, CheckpointRow, CloseFilter, EventFilter,
    NewEvent, Prunable,
};

/// Takes what [`events_json`] gives: all events in one statement, since each one costs two changes of threads.
macro_rules! insert_events {
    () => {
        "INSERT INTO audit_logs (
            sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id, key_kid, mac
        ) SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                 value->>8, value->>9, value->>10, unhex(value->>11)
        FROM json_each($1)"
    };
}
pub(super) use insert_events;

#[async_trait]
impl AuditStore for SqliteStore {
    fn set_chain(&self, key: ChainKey) {
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    async fn append_event(&self, event: &NewEvent) -> Result<i64> {
        let mut tx = self.begin().await?;
        if let Some(sequence) = recorded(&mut tx, event).await? {
            return Ok(sequence);
        }
        let sequence = append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(sequence)
    }

    async fn events(&self, filter: &EventFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push(" WHERE sequence < ").push_bind(before);
        push_filter(&mut query, filter);
        query.push(" ORDER BY sequence DESC LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pools.readers).await?)
    }

    async fn events_after(
        &self,
        filter: &EventFilter,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push(" WHERE sequence > ").push_bind(after);
        query.push(" AND sequence <= ").push_bind(through);
        push_filter(&mut query, filter);
        query.push(" ORDER BY sequence LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pools.readers).await?)
    }

    async fn read_chain(&self, reader: &mut dyn ChainReader) -> Result<()> {
        let mut snapshot = self.pools.readers.begin().await?;
        let head = sqlx::query_as(HEAD).fetch_optional(&mut *snapshot).await?;
        let checkpoint = sqlx::query_as(CHECKPOINT).fetch_optional(&mut *snapshot).await?;
        reader.begin(head, checkpoint);
        let mut after = i64::MIN;
        loop {
            let query = sqlx::query_as(SELECT_CHAINED).bind(after).bind(CHAIN_PAGE);
            let page: Vec<ChainedRow> = query.fetch_all(&mut *snapshot).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.sequence;
            for row in page {
                reader.event(row);
            }
        }
    }

    async fn prunable(&self, before: i64, limit: i64) -> Result<Option<Prunable>> {
        let found = sqlx::query_as(PRUNABLE).bind(before).fetch_one(&self.pools.readers).await?;
        Ok(Prunable::new(found, limit))
    }

    async fn prune_events(&self, prunable: Prunable, now: i64, event: &NewEvent) -> Result<Option<i64>> {
        let mut tx = self.begin().await?;
        let first: Option<i64> = sqlx::query_scalar(FIRST).fetch_one(&mut *tx).await?;
        if first != Some(prunable.first) {
            return Ok(None);
        }
        let mac = sqlx::query_scalar(CODE_OF).bind(prunable.last).fetch_optional(&mut *tx).await?;
        let done = sqlx::query(PRUNE).bind(prunable.last).execute(&mut *tx).await?;
        let removed = done.rows_affected().cast_signed();
        insert_checkpoint(&mut tx, prunable.last, mac.flatten(), now, removed).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Some(removed))
    }

    async fn first_event(&self) -> Result<i64> {
        let first: Option<i64> = sqlx::query_scalar(FIRST).fetch_one(&self.pools.readers).await?;
        Ok(first.unwrap_or(0))
    }

    async fn audit_head(&self) -> Result<AuditHead> {
        Ok(sqlx::query_as(HEAD).fetch_one(&self.pools.readers).await?)
    }

    async fn close_operations(&self, filter: &CloseFilter, now: i64) -> Result<i64> {
        let mut tx = self.begin().await?;
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

async fn recorded(tx: &mut SqliteConnection, event: &NewEvent) -> Result<Option<i64>> {
    let Some(operation_id) = &event.operation_id else { return Ok(None) };
    let query = sqlx::query_scalar(SEQUENCE_OF_OPERATION).bind(operation_id).bind(&event.event);
    Ok(query.fetch_optional(tx).await?)
}

async fn insert_checkpoint(
    tx: &mut Change,
    sequence: i64,
    mac: Option<Vec<u8>>,
    now: i64,
    removed: i64,
) -> Result<()> {
    let key = tx.chain.as_ref().ok_or_else(no_chain)?;
    let row = CheckpointRow::new(key, sequence, mac, now, removed);
    let query =
        sqlx::query(INSERT_CHECKPOINT).bind(row.sequence).bind(row.mac).bind(row.time).bind(row.removed);
    query.bind(row.key_kid).bind(row.code).execute(&mut **tx).await?;
    Ok(())
}

/// Gives the event its place and writes it: the last step of every change. Its sequence.
pub(super) async fn append(tx: &mut Change, event: &NewEvent) -> Result<i64> {
    Ok(append_all(tx, &[event]).await?.sequence)
}

/// The same for several events; the head after them.
pub(super) async fn append_all(tx: &mut Change, events: &[&NewEvent]) -> Result<AuditHead> {
    chain_and_insert(tx, events).await.map_err(unwritable)
}

async fn chain_and_insert(tx: &mut Change, events: &[&NewEvent]) -> Result<AuditHead> {
    let key = tx.chain.clone().ok_or_else(no_chain)?;
    let head: AuditHead = sqlx::query_as(HEAD).fetch_one(&mut **tx).await?;
    let (places, head) = head.places(&key, events);
    let insert = sqlx::query(insert_events!()).bind(events_json(events, &places));
    expect_rows("audit_logs", insert.execute(&mut **tx).await?.rows_affected(), events.len() as u64)?;
    let advance = sqlx::query(ADVANCE_HEAD)
        .bind(head.sequence)
        .bind(head.time)
        .bind(head.mac.as_deref())
        .bind(head.key_kid.as_deref());
    expect_rows("audit_head", advance.execute(&mut **tx).await?.rows_affected(), 1)?;
    Ok(head)
}

/// An array of rows, for [`insert_events`].
pub(super) fn events_json(events: &[&NewEvent], places: &[AuditHead]) -> String {
    let rows: Value = events.iter().zip(places).map(|(event, place)| to_json(event, place)).collect();
    rows.to_string()
}

fn to_json(event: &NewEvent, place: &AuditHead) -> Value {
    json!([
        place.sequence,
        event.time,
        event.actor,
        event.via,
        event.event,
        event.target,
        event.metadata,
        event.trace_id,
        event.outcome,
        event.operation_id,
        place.key_kid,
        place.mac.as_ref().map(hex::encode),
    ])
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &EventFilter) {
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
