//! Appends to the audit log in PostgreSQL.

use strongroom_store::{Result, expect_rows};

use super::change::Change;
use super::events::{bind_events, insert_events};
use super::locks::LOCK_HEAD;
use crate::store::audit::{ADVANCE_HEAD, no_chain};
use crate::store::{AuditHead, NewEvent};

/// Gives the event its position and writes it: the last step of every change. Returns its sequence.
pub(super) async fn append(tx: &mut Change, event: &NewEvent) -> Result<i64> {
    Ok(append_all(tx, &[event]).await?.sequence)
}

/// The same for several events; returns the head after them. No other transaction appends between the first statement
/// and the commit.
pub(super) async fn append_all(tx: &mut Change, events: &[&NewEvent]) -> Result<AuditHead> {
    let appended = chain_and_insert(tx, events).await;
    appended.map_err(|error| tx.failures.unwritable(error))
}

async fn chain_and_insert(tx: &mut Change, events: &[&NewEvent]) -> Result<AuditHead> {
    let key = tx.chain.clone().ok_or_else(no_chain)?;
    let head: AuditHead = sqlx::query_as(LOCK_HEAD).fetch_one(&mut **tx).await?;
    let (places, head) = head.places(&key, events);
    let insert = bind_events(sqlx::query(insert_events!()), events, &places);
    expect_rows("audit_logs", insert.execute(&mut **tx).await?.rows_affected(), events.len() as u64)?;
    let advance = sqlx::query(ADVANCE_HEAD)
        .bind(head.sequence)
        .bind(head.time)
        .bind(head.mac.as_deref())
        .bind(head.key_kid.as_deref());
    expect_rows("audit_head", advance.execute(&mut **tx).await?.rows_affected(), 1)?;
    Ok(head)
}
