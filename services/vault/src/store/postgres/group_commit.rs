//! Commits recorded uses of secrets in PostgreSQL: one statement, which is its own transaction, if no other process or
//! change has appended an event since this process remembered the log's head.
//!
//! A transaction that reads the head first takes six round trips.

use strongroom_store::{Result, expect_rows};

use super::events::{bind_events, insert_events};
use super::{Connection, Store};
use crate::store::audit::no_chain;
use crate::store::uses::latest_uses;
use crate::store::{AuditHead, NewEvent, Use};

/// Two parts of a WITH clause: `used` has the ids and times of two arrays, and `locked` locks those credentials.
/// `$only` is a WHERE clause for `locked`, or empty. The locks are taken in the order of the ids, so two vaults that
/// mark the same credentials do not deadlock.
macro_rules! locked {
    ($ids:literal, $times:literal, $only:literal) => {
        concat!(
            "used AS (SELECT id, time FROM unnest(",
            $ids,
            "::text[], ",
            $times,
            "::bigint[]) AS u (id, time)),
            locked AS (SELECT c.id FROM credentials c JOIN used USING (id) ",
            $only,
            " ORDER BY c.id FOR NO KEY UPDATE OF c) "
        )
    };
}

/// A use older than the recorded one changes nothing.
macro_rules! mark_locked {
    () => {
        "UPDATE credentials c SET last_used_time = used.time
         FROM used JOIN locked USING (id)
         WHERE c.id = used.id AND (c.last_used_time IS NULL OR c.last_used_time < used.time)"
    };
}

const MARK_USED: &str = concat!("WITH ", locked!("$1", "$2", ""), mark_locked!());

/// If `$13` and `$14` are the current head, marks the credentials as [`MARK_USED`] does, and writes the events and the
/// new head; otherwise writes nothing. As in every change, the head is locked after the credentials: the UPDATE of
/// `audit_head` counts the marks in its condition, so it waits for them.
const COMMIT_BEHIND: &str = concat!(
    "WITH confirmed AS (
        SELECT 1 FROM audit_head WHERE id = 1 AND sequence = $13 AND mac IS NOT DISTINCT FROM $14
    ), ",
    locked!("$19", "$20", "WHERE EXISTS (SELECT 1 FROM confirmed)"),
    ", marked AS (",
    mark_locked!(),
    " RETURNING 1),
    advanced AS (
        UPDATE audit_head SET sequence = $15, time = $16, mac = $17, key_kid = $18
        WHERE id = 1 AND sequence = $13 AND mac IS NOT DISTINCT FROM $14
          AND (SELECT count(*) FROM marked) >= 0
        RETURNING 1
    ) ",
    insert_events!(),
    " WHERE EXISTS (SELECT 1 FROM advanced)"
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
        let (ids, times): (Vec<&str>, Vec<i64>) = latest_uses(uses).into_iter().unzip();
        let (places, head) = remembered.clone().places(&key, events);
        let query = bind_events(sqlx::query(COMMIT_BEHIND), events, &places);
        let query = query
            .bind(remembered.sequence)
            .bind(remembered.mac)
            .bind(head.sequence)
            .bind(head.time)
            .bind(head.mac.as_deref())
            .bind(head.key_kid.as_deref());
        let done = query.bind(ids).bind(times).execute(self.writer()).await?;
        match done.rows_affected() {
            0 => Ok(None),
            rows => expect_rows("audit_logs", rows, events.len() as u64).map(|()| Some(head)),
        }
    }
}

pub(super) async fn mark_used(tx: &mut Connection, uses: &[Use]) -> Result<()> {
    let (ids, times): (Vec<&str>, Vec<i64>) = latest_uses(uses).into_iter().unzip();
    if !ids.is_empty() {
        sqlx::query(MARK_USED).bind(ids).bind(times).execute(tx).await?;
    }
    Ok(())
}
