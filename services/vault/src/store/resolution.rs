//! What references may resolve to, found in one statement: a gateway asks on each of its requests.

use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;

use super::selection::{push_credential, push_kind};

/// One candidate. Its columns are empty when a reference or its template is bound to nothing, or to what is outside.
#[derive(Clone, FromRow)]
pub(crate) struct CandidateRow {
    /// The reference's kind.
    pub kind: String,
    /// Its consumer.
    pub consumer: String,
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

/// Candidates of the references that `asked` (kind, consumer) names, for each in order; the common table
/// `asked` goes before it.
///
/// They are those that there would be if what is outside were deleted: a credential leaves its binding empty and no
/// fallback behind, a template nothing at all.
pub(super) fn push_candidates<DB>(query: &mut QueryBuilder<DB>, selection: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    query.push(
        "bound AS (
            SELECT r.kind, r.consumer, r.needs_provider, t.kind AS via_kind, t.consumer AS via_consumer,
                   CASE WHEN r.via_kind = '' THEN r.credential_id ELSE t.credential_id END AS credential_id
            FROM asked a JOIN credential_references r ON r.kind = a.kind AND r.consumer = a.consumer
            LEFT JOIN credential_references t ON t.kind = r.via_kind AND t.consumer = r.via_consumer AND ",
    );
    push_kind(query, "t.kind", selection);
    query.push(
        "), candidates AS (
            SELECT b.kind, b.consumer, b.needs_provider, b.credential_id, 0 AS position FROM bound b
            UNION ALL
            SELECT b.kind, b.consumer, b.needs_provider, f.credential_id, 1 + f.position FROM bound b
            JOIN credential_fallbacks f ON f.kind = b.kind AND f.consumer = b.consumer
            UNION ALL
            SELECT b.kind, b.consumer, b.needs_provider, f.credential_id, 1000 + f.position FROM bound b
            JOIN credential_fallbacks f ON f.kind = b.via_kind AND f.consumer = b.via_consumer
        )
        SELECT x.kind, x.consumer, x.needs_provider, c.id, c.provider, c.secret, c.active, c.expire_time
        FROM candidates x LEFT JOIN credentials c ON c.id = x.credential_id AND ",
    );
    push_credential(query, selection);
    query.push(" WHERE x.position = 0 OR c.id IS NOT NULL ORDER BY x.kind, x.consumer, x.position");
}
