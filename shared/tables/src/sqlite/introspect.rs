//! What tables a SQLite file has, by its own pragmas.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Column, Engine, ForeignKey, TableSchema};

use crate::options::{Skipped, SnapshotOptions};

pub(super) struct Found {
    pub(super) engine: String,
    pub(super) tables: Vec<TableSchema>,
    pub(super) skipped: Vec<Skipped>,
}

/// Reads names and definitions. Inside a transaction the first statement fixes the snapshot.
pub(super) async fn tables(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
) -> sqlx::Result<Found> {
    let listed: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT l.name, l.type, s.sql
         FROM pragma_table_list AS l
         LEFT JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
         WHERE l.schema = 'main' AND l.type IN ('table', 'virtual', 'shadow')
           AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY l.name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::new();
    let mut skipped = Vec::new();
    for (name, kind, sql) in listed {
        if !options.selects(&name) {
            continue;
        }
        match kind.as_str() {
            "table" => tables.push(table(connection, options, name, sql).await?),
            "virtual" => skipped.push(Skipped { name, reason: "virtual table".to_owned() }),
            _ => skipped.push(Skipped { name, reason: "inner table of a virtual table".to_owned() }),
        }
    }
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    Ok(Found { engine: format!("SQLite {version}"), tables, skipped })
}

async fn table(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    name: String,
    sql: Option<String>,
) -> sqlx::Result<TableSchema> {
    let (columns, primary_key) = columns(connection, &name).await?;
    let unique = unique(connection, &name).await?;
    let foreign_keys = foreign_keys(connection, &name).await?;
    Ok(TableSchema {
        name: name.clone(),
        source: options.source.clone(),
        engine: Engine::Sqlite,
        namespace: String::new(),
        table: name,
        columns,
        primary_key,
        unique,
        foreign_keys,
        types: Vec::new(),
        sql,
        partition_key: None,
    })
}

/// `hidden` of `table_xinfo`: 2 is a virtual, 3 a stored generated column.
async fn columns(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<(Vec<Column>, Vec<String>)> {
    let rows: Vec<(String, String, bool, Option<String>, i64, i64)> = sqlx::query_as(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut columns = Vec::with_capacity(rows.len());
    let mut key = Vec::new();
    for (name, type_name, not_null, default, position, hidden) in rows {
        if position > 0 {
            key.push((position, name.clone()));
        }
        // The pragma does not give the expression; it stands in the table's `sql`.
        let generated = match hidden {
            2 => Some("virtual".to_owned()),
            3 => Some("stored".to_owned()),
            _ => None,
        };
        columns.push(Column { name, type_name, nullable: !not_null, default, generated, identity: None });
    }
    key.sort();
    Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
}

async fn unique(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<Vec<String>>> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT l.seq, i.name
         FROM pragma_index_list(?1, 'main') AS l, pragma_index_info(l.name, 'main') AS i
         WHERE l.origin = 'u'
         ORDER BY l.seq DESC, i.seqno",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut unique: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for (index, column) in rows {
        if last != Some(index) {
            unique.push(Vec::new());
            last = Some(index);
        }
        if let Some(columns) = unique.last_mut() {
            columns.push(column);
        }
    }
    Ok(unique)
}

async fn foreign_keys(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<ForeignKey>> {
    let rows: Vec<(i64, String, String, Option<String>, String)> = sqlx::query_as(
        "SELECT id, \"table\", \"from\", \"to\", lower(on_delete)
         FROM pragma_foreign_key_list(?1, 'main')
         ORDER BY id DESC, seq",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    let mut last = None;
    for (id, references, from, to, on_delete) in rows {
        if last != Some(id) {
            keys.push(ForeignKey {
                columns: Vec::new(),
                references,
                referenced_columns: Vec::new(),
                on_delete,
            });
            last = Some(id);
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(from);
            key.referenced_columns.extend(to);
        }
    }
    Ok(keys)
}
