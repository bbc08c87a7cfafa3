//! Names of tables and columns, in SQL and in JSON rows, shared by both engines.

use strongroom_archive::schema::TableSchema;

use crate::error::{Error, Result};

/// The name by which [`crate::list_tables`] lists a table (`namespace` is a PostgreSQL schema; empty for SQLite).
#[must_use]
pub fn listed_name(namespace: &str, table: &str) -> String {
    if namespace.is_empty() || namespace == "public" {
        table.to_owned()
    } else {
        format!("{namespace}.{table}")
    }
}

/// The position of a table in `tables`.
pub(crate) fn find_table(tables: &[TableSchema], name: &str, source: &str) -> Result<usize> {
    tables
        .iter()
        .position(|table| table.name == name)
        .ok_or_else(|| Error::missing(source, format!("table {name:?} in this snapshot")))
}

/// The position of a column in its table.
pub(crate) fn find_column(table: &TableSchema, column: &str) -> Result<usize> {
    table
        .columns
        .iter()
        .position(|other| other.name == column)
        .ok_or_else(|| Error::missing(&table.source, format!("column {column:?} in table {:?}", table.name)))
}

/// A quoted SQL identifier, valid in both engines.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// The prefix of each column in a row: `{"id":`, `,"name":` and so on.
pub(crate) fn column_keys(table: &TableSchema) -> Vec<Vec<u8>> {
    let mut keys = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let mut key = vec![if index == 0 { b'{' } else { b',' }];
        strongroom_archive::json::write_string(&mut key, &column.name);
        key.push(b':');
        keys.push(key);
    }
    keys
}
