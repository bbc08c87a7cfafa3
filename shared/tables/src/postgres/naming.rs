//! Names of tables in archives and in SQL.

pub(super) use crate::names::listed_name as archive_name;
use crate::names::quoted;

pub(super) fn qualified(namespace: &str, table: &str) -> String {
    format!("{}.{}", quoted(namespace), quoted(table))
}
