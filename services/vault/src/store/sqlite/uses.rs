//! Uses in SQLite: one message to the writer's thread, where nobody else has appended meanwhile.
//!
//! The place in the chain must be known before a code can be made, and a transaction that asks for it changes
//! threads twelve times: on a busy machine that is longer than the commit. So the head that the last batch left
//! is remembered and only confirmed; when a change has moved it on, the batch is written the long way.

use std::sync::PoisonError;

use async_trait::async_trait;
use sqlx::{Connection as _, SqliteConnection};
use strongroom_store::Result;

use super::SqliteStore;
use super::audit::{append_all, events_json, insert_events};
use crate::store::audit::{no_chain, unwritable};
use crate::store::uses::latest_uses;
use crate::store::{AuditHead, NewEvent, Use, UseStore};

/// Takes credentials and times as JSON. A use older than the one remembered changes nothing.
macro_rules! mark_used {
    ($json:literal) => {
        concat!(
            "UPDATE credentials SET last_used_time = used.time
            FROM (SELECT value->>0 AS id, value->>1 AS time FROM json_each(",
            $json,
            ")) AS used
            WHERE credentials.id = used.id AND (last_used_time IS NULL OR last_used_time < used.time)"
        )
    };
}

/// The marks, the events and the new head, if `$3` and `$4` are the head: one row then, and nothing otherwise.
const COMMIT_BEHIND: &str = concat!(
    "BEGIN IMMEDIATE;",
    mark_used!("$2"),
    " AND EXISTS (SELECT 1 FROM audit_head WHERE id = 1 AND sequence = $3 AND mac IS $4);",
    "UPDATE audit_head SET sequence = $5, time = $6, mac = $7, key_kid = $8
     WHERE id = 1 AND sequence = $3 AND mac IS $4 RETURNING sequence;",
    insert_events!(),
    // The head was moved by this, and not by a twin of these events in another process.
    " WHERE changes() = 1;",
    "COMMIT"
);

#[async_trait]
impl UseStore for SqliteStore {
    async fn append_uses(&self, uses: &[Use]) -> Result<()> {
        let events: Vec<&NewEvent> = uses.iter().map(|used| &used.event).collect();
        let head = match self.commit_behind_remembered(uses, &events).await.map_err(unwritable)? {
            Some(head) => head,
            None => self.commit_behind_current(uses, &events).await?,
        };
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = head;
        Ok(())
    }
}

impl SqliteStore {
    /// The new head, or `None` if the log's head is not the one remembered.
    async fn commit_behind_remembered(
        &self,
        uses: &[Use],
        events: &[&NewEvent],
    ) -> Result<Option<AuditHead>> {
        let remembered = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let key = self.chain().ok_or_else(no_chain)?;
        let (places, head) = remembered.clone().places(&key, events);
        let mut writer = self.pools.writer.acquire().await?;
        let query = sqlx::query_scalar::<_, i64>(COMMIT_BEHIND)
            .bind(events_json(events, &places))
            .bind(marks_json(uses))
            .bind(remembered.sequence)
            .bind(remembered.mac)
            .bind(head.sequence)
            .bind(head.time)
            .bind(head.mac.as_deref())
            .bind(head.key_kid.as_deref());
        match query.fetch_all(&mut *writer).await {
            Ok(advanced) => Ok((!advanced.is_empty()).then_some(head)),
            Err(error) => {
                // The pool does not know of this transaction, so it must not get it back.
                if sqlx::query("ROLLBACK").execute(&mut *writer).await.is_err() {
                    writer.detach().close_hard().await?;
                }
                Err(error.into())
            }
        }
    }

    async fn commit_behind_current(&self, uses: &[Use], events: &[&NewEvent]) -> Result<AuditHead> {
        let mut tx = self.begin().await?;
        mark_used(&mut tx, uses).await?;
        let head = append_all(&mut tx, events).await?;
        tx.commit().await.map_err(unwritable)?;
        Ok(head)
    }
}

async fn mark_used(tx: &mut SqliteConnection, uses: &[Use]) -> Result<()> {
    sqlx::query(mark_used!("$1")).bind(marks_json(uses)).execute(tx).await?;
    Ok(())
}

fn marks_json(uses: &[Use]) -> String {
    let latest: Vec<(&str, i64)> = latest_uses(uses).into_iter().collect();
    serde_json::json!(latest).to_string()
}
