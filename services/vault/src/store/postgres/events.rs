//! Writes rows of the audit log in PostgreSQL.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::Database;
use crate::store::{AuditHead, NewEvent};

/// Inserts the events that [`bind_events`] binds.
macro_rules! insert_events {
    () => {
        "INSERT INTO audit_logs (
            sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id, key_kid, mac
        ) SELECT * FROM unnest(
            $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[]
        )"
    };
}
pub(super) use insert_events;

/// Binds the arrays of [`insert_events`].
pub(super) fn bind_events<'q>(
    query: Query<'q, Database, PgArguments>,
    events: &[&NewEvent],
    places: &[AuditHead],
) -> Query<'q, Database, PgArguments> {
    let texts = |field: fn(&NewEvent) -> &str| events.iter().map(|event| field(event)).collect::<Vec<_>>();
    query
        .bind(places.iter().map(|place| place.sequence).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.time).collect::<Vec<_>>())
        .bind(texts(|event| &event.actor))
        .bind(texts(|event| &event.via))
        .bind(texts(|event| &event.event))
        .bind(texts(|event| &event.target))
        .bind(texts(|event| &event.metadata))
        .bind(texts(|event| &event.trace_id))
        .bind(texts(|event| &event.outcome))
        .bind(events.iter().map(|event| event.operation_id.as_deref()).collect::<Vec<_>>())
        .bind(places.iter().map(|place| place.key_kid.as_deref()).collect::<Vec<_>>())
        .bind(places.iter().map(|place| place.mac.as_deref()).collect::<Vec<_>>())
}
