//! Loading into PostgreSQL and comparing there.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Column, Constraint, TableSchema, UserType};

use super::{Export, given_columns, quoted};

/// Creates types, tables, rows and foreign keys.
pub async fn load(connection: &mut PgConnection, export: &Export) {
    let mut types = BTreeSet::new();
    for (table, _) in &export.tables {
        run(connection, format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&table.namespace))).await;
        for user_type in &table.types {
            let (name, sql) = create_type(user_type);
            if types.insert(name.to_owned()) {
                run(connection, format!("CREATE SCHEMA IF NOT EXISTS {}", schema_of(name))).await;
                run(connection, sql).await;
            }
        }
        run(connection, create_table(table)).await;
    }
    for (table, rows) in &export.tables {
        for row in rows {
            insert(connection, table, row).await;
        }
    }
    for (table, _) in &export.tables {
        for index in &table.indexes {
            run(connection, index.definition.clone()).await;
        }
        for key in &table.foreign_keys {
            let (name, definition) = (quoted(&key.name), &key.definition);
            let table = qualified(table);
            run(connection, format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")).await;
        }
    }
}

/// All rows of a table as printed by the server, in order.
pub async fn printed(connection: &mut PgConnection, table: &TableSchema, whole: bool) -> Vec<String> {
    let only = if whole { "" } else { "ONLY " };
    let sql = format!(
        "SELECT whole::text FROM {only}{} AS whole ORDER BY whole::text COLLATE \"C\"",
        qualified(table)
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: String) {
    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(connection).await {
        panic!("{error}: {sql}");
    }
}

fn qualified(table: &TableSchema) -> String {
    format!("{}.{}", quoted(&table.namespace), quoted(&table.table))
}

/// The part of a printed name before its first dot outside quotes.
fn schema_of(name: &str) -> &str {
    let mut inside = false;
    let at = name.find(|character| {
        inside ^= character == '"';
        character == '.' && !inside
    });
    &name[..at.unwrap()]
}

fn create_type(user_type: &UserType) -> (&str, String) {
    match user_type {
        UserType::Enum { name, labels } => {
            let labels: Vec<String> =
                labels.iter().map(|label| format!("'{}'", label.replace('\'', "''"))).collect();
            (name, format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", ")))
        }
        UserType::Domain { name, base, nullable, collation, default, checks } => {
            let mut sql = format!("CREATE DOMAIN {name} AS {base}");
            if let Some(collation) = collation {
                sql.push_str(&format!(" COLLATE {collation}"));
            }
            if let Some(default) = default {
                sql.push_str(&format!(" DEFAULT {default}"));
            }
            if !nullable {
                sql.push_str(" NOT NULL");
            }
            for check in checks {
                sql.push_str(&format!(" CONSTRAINT {} {}", quoted(&check.name), check.definition));
            }
            (name, sql)
        }
        UserType::Composite { name, attributes } => {
            let attributes: Vec<String> = attributes
                .iter()
                .map(|attribute| format!("{} {}", quoted(&attribute.name), attribute.type_name))
                .collect();
            (name, format!("CREATE TYPE {name} AS ({})", attributes.join(", ")))
        }
        UserType::Range { name, subtype } => {
            (name, format!("CREATE TYPE {name} AS RANGE (subtype = {subtype})"))
        }
    }
}

fn create_table(table: &TableSchema) -> String {
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    let constraint = |one: &Constraint| format!("CONSTRAINT {} {}", quoted(&one.name), one.definition);
    parts.extend(table.constraints.iter().map(constraint));
    format!("CREATE TABLE {} ({})", qualified(table), parts.join(", "))
}

fn column(column: &Column) -> String {
    let mut sql = format!("{} {}", quoted(&column.name), column.type_name);
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(expression) = &column.generated {
        sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
    }
    if !column.nullable {
        sql.push_str(" NOT NULL");
    }
    sql
}

async fn insert(connection: &mut PgConnection, table: &TableSchema, row: &super::Row) {
    assert_eq!(row.len(), table.columns.len(), "{}", table.name);
    let names = given_columns(table);
    if names.is_empty() {
        return run(connection, format!("INSERT INTO {} DEFAULT VALUES", qualified(table))).await;
    }
    let given = table.columns.iter().filter(|column| column.generated.is_none());
    let values: Vec<String> = given
        .enumerate()
        .map(|(index, column)| format!("${}::text::{}", index + 1, column.type_name))
        .collect();
    let columns: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let sql =
        format!("INSERT INTO {} ({}) VALUES ({})", qualified(table), columns.join(", "), values.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for name in names {
        query = query.bind(text(&row[name]));
    }
    if let Err(error) = query.execute(connection).await {
        panic!("{error}: {} {row:?}", table.name);
    }
}

/// Any JSON value as text that the server can parse.
fn text(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        string if string.starts_with('"') => Some(serde_json::from_str(string).unwrap()),
        token => Some(token.to_owned()),
    }
}
