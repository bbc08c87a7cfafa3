//! What a reference may resolve to, found in one statement: a gateway asks on each of its requests.

use sqlx::{Database, Encode, FromRow, QueryBuilder, Type};
use strongroom_runtime::Selectors;

use super::selection::push_credential;

/// One candidate. Its columns are empty when the credential is not there, or outside.
#[derive(Clone, FromRow)]
pub(crate) struct CandidateRow {
    /// What the consumer needs; empty when any will do.
    pub needs_provider: String,
    /// The credential.
    pub id: Option<String>,
    /// Its provider.
    pub provider: Option<String>,
    /// `srv1.…`: sealed for the credential's row.
    pub secret: Option<String>,
    /// May be used.
    pub active: Option<bool>,
    /// From when on it may not be used.
    pub expire_time: Option<i64>,
}

/// Candidates of a reference in order; no row when there is no such reference.
pub(super) fn candidates<DB>(kind: &str, consumer: &str, selection: &Selectors) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(
        "WITH bound AS (
            SELECT r.kind, r.consumer, r.needs_provider, r.via_kind, r.via_consumer,
                   CASE WHEN r.via_kind = '' THEN r.credential_id ELSE t.credential_id END AS credential_id
            FROM credential_references r
            LEFT JOIN credential_references t ON t.kind = r.via_kind AND t.consumer = r.via_consumer
            WHERE r.kind = ",
    );
    query.push_bind(kind.to_owned()).push(" AND r.consumer = ").push_bind(consumer.to_owned());
    query.push(
        "), candidates AS (
            SELECT b.needs_provider, b.credential_id, 0 AS position FROM bound b
            UNION ALL
            SELECT b.needs_provider, f.credential_id, 1 + f.position FROM bound b
            JOIN credential_fallbacks f ON f.kind = b.kind AND f.consumer = b.consumer
            UNION ALL
            SELECT b.needs_provider, f.credential_id, 1000 + f.position FROM bound b
            JOIN credential_fallbacks f ON f.kind = b.via_kind AND f.consumer = b.via_consumer
        )
        SELECT x.needs_provider, c.id, c.provider, c.secret, c.active, c.expire_time
        FROM candidates x LEFT JOIN credentials c ON c.id = x.credential_id AND ",
    );
    push_credential(&mut query, selection);
    query.push(" ORDER BY x.position");
    query
}
