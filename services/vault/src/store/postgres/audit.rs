//! The audit log in PostgreSQL.

use async_trait::async_trait;
use sqlx::FromRow;
use strongroom_store::Result;
use tokio_stream::StreamExt as _;

use super::append::append;
use super::change::Change;
use super::{Connection, Database, Store};
use crate::store::ChainKey;
use crate::store::audit::{
    CHAIN, CHAIN_PAGE, CHECKPOINT, CLOSE_BATCH, CODE_OF, FIRST, HEAD, INSERT_CHECKPOINT, OPEN_OPERATIONS,
    PRUNABLE, PRUNE, SELECT_CHAINED, SEQUENCE_OF_OPERATION, no_chain,
};
use crate::store::granting::{Granting, Sealed};
use crate::store::key;
use crate::store::key_state::Stated;
use crate::store::pages;
use crate::store::person::PersonIdentityRow;
use crate::store::{
    AuditHead, AuditRow, AuditStore, ChainReader, ChainedRow, CheckpointRow, CloseFilter, CredentialRow,
    EventFilter, Examined, KeyRequestRow, NewEvent, PersonRequestRow, PersonRow, Prunable, ReferenceRow,
    TokenRow, VersionRow,
};

#[async_trait]
impl AuditStore for Store {
    fn set_chain(&self, key: ChainKey) {
        self.tail.set_key(key);
    }

    fn audit_failures(&self) -> u64 {
        self.tail.failures().count()
    }

    async fn append_event(&self, event: &NewEvent) -> Result<i64> {
        let mut tx = self.begin_alone().await?;
        if let Some(sequence) = recorded(&mut tx, event).await? {
            return Ok(sequence);
        }
        let sequence = append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(sequence)
    }

    async fn events(&self, filter: &EventFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>> {
        let mut query = pages::events_before(filter, before, limit);
        Ok(query.build_query_as().fetch_all(self.reader()).await?)
    }

    async fn events_after(
        &self,
        filter: &EventFilter,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>> {
        let mut query = pages::events_after(filter, after, through, limit);
        Ok(query.build_query_as().fetch_all(self.reader()).await?)
    }

    async fn read_chain(&self, reader: &mut dyn ChainReader) -> Result<()> {
        let mut snapshot = self.pools.begin_snapshot().await?;
        let head = sqlx::query_as(HEAD).fetch_optional(&mut *snapshot).await?;
        let checkpoint = sqlx::query_as(CHECKPOINT).fetch_optional(&mut *snapshot).await?;
        reader.begin(head, checkpoint);
        let mut after = i64::MIN;
        loop {
            let query = sqlx::query_as(SELECT_CHAINED).bind(after).bind(CHAIN_PAGE);
            let page: Vec<ChainedRow> = query.fetch_all(&mut *snapshot).await?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for row in page {
                reader.event(row);
            }
        }
        self.examine_all(&mut snapshot, &mut |row| reader.row(row)).await
    }

    async fn tampered_rows(&self, limit: usize) -> Result<Vec<Examined>> {
        let mut tampered = Vec::new();
        let mut snapshot = self.pools.begin_snapshot().await?;
        let mut keep = |row: Examined| {
            if !row.is_intact && tampered.len() < limit {
                tampered.push(row);
            }
        };
        self.examine_all(&mut snapshot, &mut keep).await?;
        Ok(tampered)
    }

    async fn prunable(&self, before: i64, limit: i64) -> Result<Option<Prunable>> {
        let found = sqlx::query_as(PRUNABLE).bind(before).fetch_one(self.reader()).await?;
        Ok(Prunable::new(found, limit))
    }

    async fn prune_events(&self, prunable: Prunable, now: i64, event: &NewEvent) -> Result<Option<i64>> {
        let mut tx = self.begin_alone().await?;
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
        let first: Option<i64> = sqlx::query_scalar(FIRST).fetch_one(self.reader()).await?;
        Ok(first.unwrap_or(0))
    }

    async fn audit_head(&self) -> Result<AuditHead> {
        Ok(sqlx::query_as(HEAD).fetch_one(self.reader()).await?)
    }

    async fn audit_chain(&self) -> Result<String> {
        Ok(sqlx::query_scalar(CHAIN).fetch_one(self.reader()).await?)
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

async fn recorded(tx: &mut Connection, event: &NewEvent) -> Result<Option<i64>> {
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

type Row = <Database as sqlx::Database>::Row;

impl Store {
    /// Calls `found` with every row that grants access.
    async fn examine_all(
        &self,
        snapshot: &mut Connection,
        found: &mut (dyn FnMut(Examined) + Send),
    ) -> Result<()> {
        let mut versions = sqlx::query_as::<_, Stated>(key::KEY_VERSIONS).fetch(&mut *snapshot);
        while let Some(stated) = versions.next().await {
            found(match stated {
                Ok(stated) => self.states.examine(&stated),
                Err(error) => Examined::unreadable("key_versions", error)?,
            });
        }
        drop(versions);
        self.examine::<TokenRow>(snapshot, found).await?;
        self.examine::<CredentialRow>(snapshot, found).await?;
        self.examine::<ReferenceRow>(snapshot, found).await?;
        self.examine::<VersionRow>(snapshot, found).await?;
        self.examine::<KeyRequestRow>(snapshot, found).await?;
        self.examine::<PersonRow>(snapshot, found).await?;
        self.examine::<PersonIdentityRow>(snapshot, found).await?;
        self.examine::<PersonRequestRow>(snapshot, found).await
    }

    async fn examine<R>(
        &self,
        snapshot: &mut Connection,
        found: &mut (dyn FnMut(Examined) + Send),
    ) -> Result<()>
    where
        R: Granting + for<'r> FromRow<'r, Row> + Send + Unpin,
        Sealed<R>: for<'r> FromRow<'r, Row>,
    {
        let mut rows = sqlx::query_as::<_, Sealed<R>>(R::SELECT).fetch(snapshot);
        while let Some(sealed) = rows.next().await {
            found(self.codes.examine(sealed?)?);
        }
        Ok(())
    }
}
