//! Commits recorded uses of secrets in SQLite: one message to the writer's thread, if no other process or change has
//! appended an event since this process remembered the log's head.
//!
//! A transaction that reads the head first switches threads twelve times, which takes longer than the commit on a busy
//! machine.

use sqlx::Connection as _;
use strongroom_store::Result;

use super::events::{events_json, insert_events};
use super::{Connection, Store};
use crate::store::audit::no_chain;
use crate::store::uses::latest_uses;
use crate::store::{AuditHead, NewEvent, Use};

/// Takes credentials and times as JSON. A use older than the recorded one changes nothing.
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

/// Writes the marks, the events and the new head if `$3` and `$4` are the current head; it then returns one row, and
/// otherwise writes and returns nothing.
const COMMIT_BEHIND: &str = concat!(
    "BEGIN IMMEDIATE;",
    mark_used!("$2"),
    " AND EXISTS (SELECT 1 FROM audit_head WHERE id = 1 AND sequence = $3 AND mac IS $4);",
    "UPDATE audit_head SET sequence = $5, time = $6, mac = $7, key_kid = $8
     WHERE id = 1 AND sequence = $3 AND mac IS $4 RETURNING sequence;",
    insert_events!(),
    // Only if this statement moved the head; another process may have moved it with the same events.
    " WHERE changes() = 1;",
    "COMMIT"
);

impl Store {
    /// The new head, or `None` if the log's head is not the remembered one.
    pub(super) async fn commit_behind_remembered(
        &self,
        uses: &[Use],
        events: &[&NewEvent],
    ) -> Result<Option<AuditHead>> {
        let remembered = self.tail.head();
        let key = self.tail.key().ok_or_else(no_chain)?;
        let (places, head) = remembered.clone().places(&key, events);
        let mut writer = self.writer().acquire().await?;
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
                // The pool does not know of this transaction, so it must not get the connection back with it.
                if sqlx::query("ROLLBACK").execute(&mut *writer).await.is_err() {
                    writer.detach().close_hard().await?;
                }
                Err(error.into())
            }
        }
    }
}

pub(super) async fn mark_used(tx: &mut Connection, uses: &[Use]) -> Result<()> {
    sqlx::query(mark_used!("$1")).bind(marks_json(uses)).execute(tx).await?;
    Ok(())
}

fn marks_json(uses: &[Use]) -> String {
    let latest: Vec<(&str, i64)> = latest_uses(uses).into_iter().collect();
    serde_json::json!(latest).to_string()
}
