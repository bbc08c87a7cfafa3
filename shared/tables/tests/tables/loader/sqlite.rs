//! Loading into SQLite and comparing there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;

use super::{Export, Row, given_columns, quoted};
use crate::database::run_sqlite;

/// Creates the tables with their own statements and inserts the rows.
pub async fn load(connection: &mut SqliteConnection, export: &Export) {
    for (table, rows) in &export.tables {
        run_sqlite(connection, table.sql.as_deref().unwrap()).await;
        for row in rows {
            insert(connection, table, row).await;
        }
    }
}

/// All values of a table with their storage classes, one string per row, in order.
pub async fn printed(connection: &mut SqliteConnection, table: &TableSchema) -> Vec<String> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| quoted(&column.name))
        .map(|name| {
            format!("typeof({name}) || ':' || CASE typeof({name}) WHEN 'real' THEN quote({name}) ELSE hex({name}) END")
        })
        .collect();
    let sql = format!("SELECT {} FROM {}", columns.join(" || ',' || "), quoted(&table.table));
    let mut rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
    rows.sort();
    rows
}

async fn insert(connection: &mut SqliteConnection, table: &TableSchema, row: &Row) {
    assert_eq!(row.len(), table.columns.len(), "{}", table.name);
    let names = given_columns(table);
    let columns: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let given: Vec<&str> = names.iter().map(|name| row[*name].get()).collect();
    let places: Vec<&str> = given
        .iter()
        .map(|text| if text.starts_with("{\"$text\"") { "CAST(? AS TEXT)" } else { "?" })
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.table),
        columns.join(", "),
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for text in given {
        query = match serde_json::from_str(text).unwrap() {
            Value::Null => query.bind(None::<i64>),
            Value::String(text) => query.bind(text),
            // Floats parsed by serde_json can differ in the last bit.
            Value::Number(_) if text.contains(['.', 'e']) => query.bind(text.parse::<f64>().unwrap()),
            Value::Number(_) => query.bind(text.parse::<i64>().unwrap()),
            Value::Object(tagged) => match tagged.into_iter().next().unwrap() {
                (tag, Value::String(text)) if tag == "$real" => query.bind(text.parse::<f64>().unwrap()),
                (_, Value::String(text)) => query.bind(STANDARD.decode(text).unwrap()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
    }
    query.execute(connection).await.unwrap();
}
