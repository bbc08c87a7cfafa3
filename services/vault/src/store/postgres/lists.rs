//! Lists as arguments in PostgreSQL: arrays.

use sqlx::QueryBuilder;

use super::Database;

/// A condition on the column before it: its value is in the list that the argument holds (see [`list`]).
macro_rules! in_list {
    ($argument:literal) => {
        concat!(" = ANY(", $argument, ")")
    };
}
pub(super) use in_list;

/// The argument for [`in_list`].
pub(super) fn list(values: Vec<&str>) -> Vec<&str> {
    values
}

/// The same condition on the column at the end of `query`.
pub(super) fn push_in_list(query: &mut QueryBuilder<Database>, values: &[String]) {
    query.push(" = ANY(").push_bind(values).push(")");
}

/// A SELECT of `pairs`, as `first` and `second`.
pub(super) fn push_pairs(
    query: &mut QueryBuilder<Database>,
    pairs: &[(String, String)],
    (first, second): (&'static str, &'static str),
) {
    let (firsts, seconds): (Vec<&str>, Vec<&str>) =
        pairs.iter().map(|(first, second)| (first.as_str(), second.as_str())).unzip();
    query.push("SELECT ").push(first).push(", ").push(second).push(" FROM unnest(").push_bind(firsts);
    query.push("::text[], ").push_bind(seconds).push("::text[]) AS u (");
    query.push(first).push(", ").push(second).push(")");
}
