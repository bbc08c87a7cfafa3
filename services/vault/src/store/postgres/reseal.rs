//! Replaces sealed values in PostgreSQL: one statement takes them all as arrays.

use sqlx::QueryBuilder;

use super::Database;
use crate::store::Resealed;
use crate::store::columns::SealedColumn;

/// Replaces the values that are unchanged. Waiting for a row that a reveal has locked could deadlock, so such a row is
/// skipped.
pub(super) fn replace_values(column: &SealedColumn, rows: &[Resealed]) -> QueryBuilder<Database> {
    let (mut ids, mut olds, mut news) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        ids.push(row.id.as_str());
        olds.push(row.old.as_str());
        news.push(row.new.as_str());
    }
    let mut query = QueryBuilder::new("WITH free AS (SELECT t.");
    query.push(column.id).push(" AS id, b.new FROM unnest(").push_bind(ids).push("::text[], ");
    query.push_bind(olds).push("::text[], ").push_bind(news).push("::text[]) AS b (id, old, new) JOIN ");
    query.push(column.table).push(" AS t ON t.").push(column.id).push(" = b.id AND t.");
    query.push(column.column).push(" = b.old FOR NO KEY UPDATE OF t SKIP LOCKED) UPDATE ");
    query.push(column.table).push(" AS t SET ").push(column.column).push(" = free.new FROM free WHERE t.");
    query.push(column.id).push(" = free.id");
    query
}
