//! Lists as arguments in SQLite: JSON.

use sqlx::QueryBuilder;

use super::Database;

/// A condition on the column before it: its value is in the list that the argument holds (see [`list`]).
macro_rules! in_list {
    ($argument:literal) => {
        concat!(" IN (SELECT value FROM json_each(", $argument, "))")
    };
}
pub(super) use in_list;

/// The argument for [`in_list`].
pub(super) fn list(values: Vec<&str>) -> String {
    serde_json::Value::from(values).to_string()
}

/// The same condition on the column at the end of `query`.
pub(super) fn push_in_list(query: &mut QueryBuilder<Database>, values: &[String]) {
    query.push(" IN (SELECT value FROM json_each(");
    query.push_bind(serde_json::json!(values).to_string()).push("))");
}

/// A SELECT of `pairs`, as `first` and `second`.
pub(super) fn push_pairs(
    query: &mut QueryBuilder<Database>,
    pairs: &[(String, String)],
    (first, second): (&'static str, &'static str),
) {
    query.push("SELECT value->>0 AS ").push(first).push(", value->>1 AS ").push(second);
    query.push(" FROM json_each(").push_bind(serde_json::json!(pairs).to_string()).push(")");
}
