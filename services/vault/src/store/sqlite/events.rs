//! Writes rows of the audit log in SQLite.

use serde_json::{Value, json};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::Database;
use crate::store::{AuditHead, NewEvent};

/// Inserts the events from [`events_json`] in one statement, because each statement costs two thread switches.
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

/// Binds the argument of [`insert_events`].
pub(super) fn bind_events<'q>(
    query: Query<'q, Database, SqliteArguments>,
    events: &[&NewEvent],
    places: &[AuditHead],
) -> Query<'q, Database, SqliteArguments> {
    query.bind(events_json(events, places))
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
