//! Replaces sealed values in SQLite: one statement takes them all as JSON.

use serde_json::Value;
use sqlx::QueryBuilder;

use super::Database;
use crate::store::Resealed;
use crate::store::columns::SealedColumn;

/// Replaces the values that are unchanged.
pub(super) fn replace_values(column: &SealedColumn, rows: &[Resealed]) -> QueryBuilder<Database> {
    let batch: Value =
        rows.iter().map(|row| Value::from([row.id.as_str(), row.old.as_str(), row.new.as_str()])).collect();
    let mut query = QueryBuilder::new("UPDATE ");
    query.push(column.table).push(" AS t SET ").push(column.column).push(" = b.new FROM (");
    query.push("SELECT value ->> 0 AS id, value ->> 1 AS old, value ->> 2 AS new FROM json_each(");
    query.push_bind(batch.to_string()).push(")) AS b WHERE t.").push(column.id).push(" = b.id AND t.");
    query.push(column.column).push(" = b.old");
    query
}
