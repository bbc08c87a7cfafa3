//! Names of tables: in archives, and in SQL.

use crate::names::quoted;

pub(super) fn archive_name(namespace: &str, table: &str) -> String {
    if namespace == "public" { table.to_owned() } else { format!("{namespace}.{table}") }
}

pub(super) fn qualified(namespace: &str, table: &str) -> String {
    format!("{}.{}", quoted(namespace), quoted(table))
}
