//! The parts of the file that are outside its tables' rows.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::manifest::{Migrations, Sequence};
use strongroom_archive::schema::{DatabaseSchema, Engine, TableSchema};

use super::statements::Statements;
use crate::error::{Error, Result};
use crate::migrations;
use crate::names::quoted;
use crate::options::{Skipped, SnapshotOptions};
use crate::outside::Outside;

/// Reads these parts; those that an archive cannot hold are reported in `skipped`.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
    statements: Statements,
    skipped: &mut Vec<Skipped>,
) -> Result<Outside> {
    let source = &options.source;
    let failed = |what: &'static str| move |error| Error::database(source, what, &error);
    let header = header(connection).await.map_err(failed("reading the file's header"))?;
    let mut sequences = Vec::new();
    if header.has_sequences {
        sequences =
            positions(connection, tables, skipped).await.map_err(failed("reading sqlite_sequence"))?;
    }
    Ok(Outside {
        encoding: header.encoding,
        extensions: Vec::new(),
        sequences,
        user_version: Some(header.user_version),
        application_id: Some(header.application_id),
        migrations: migrations(connection, options, tables).await?,
        schema: DatabaseSchema {
            source: source.clone(),
            engine: Engine::Sqlite,
            views: statements.into_views(),
            notes: Default::default(),
        },
        large_objects: Vec::new(),
    })
}

/// The contents of the file's header.
#[derive(sqlx_macros::FromRow)]
struct Header {
    encoding: String,
    user_version: i64,
    application_id: i64,
    has_sequences: bool,
}

async fn header(connection: &mut SqliteConnection) -> sqlx::Result<Header> {
    sqlx::query_as(
        "SELECT e.encoding, u.user_version, a.application_id,
                EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence') AS has_sequences
         FROM pragma_encoding AS e, pragma_user_version AS u, pragma_application_id AS a",
    )
    .fetch_one(connection)
    .await
}

/// The AUTOINCREMENT counters. Applications can write anything to this table: it has no types.
async fn positions(
    connection: &mut SqliteConnection,
    tables: &[TableSchema],
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<Sequence>> {
    let rows: Vec<(String, Option<i64>, String)> = sqlx::query_as(
        "SELECT CAST(name AS TEXT), CASE typeof(seq) WHEN 'integer' THEN seq END, CAST(seq AS TEXT)
         FROM main.sqlite_sequence WHERE name IS NOT NULL AND seq IS NOT NULL ORDER BY 1, rowid",
    )
    .fetch_all(&mut *connection)
    .await?;
    let tables: HashSet<String> = tables.iter().map(|table| table.table.to_ascii_lowercase()).collect();
    let mut sequences = Vec::new();
    for (name, position, text) in rows {
        if !tables.contains(&name.to_ascii_lowercase()) {
            continue;
        }
        match position {
            Some(last_value) => sequences.push(Sequence {
                namespace: String::new(),
                name,
                last_value,
                is_called: true,
                range: None,
                owner: None,
            }),
            None => skipped.push(Skipped {
                name: format!("sqlite_sequence.{name}"),
                reason: format!("the value of AUTOINCREMENT is {text:?}, which is not a number"),
            }),
        }
    }
    Ok(sequences)
}

async fn migrations(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
) -> Result<Option<Migrations>> {
    let Some((table, column)) = migrations::find(options, tables)? else { return Ok(None) };
    let sql = migrations::statement(&format!("main.{}", quoted(&table.table)), column);
    let ids = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await;
    let ids = ids.map_err(|error| Error::database(&options.source, "reading the migrations", &error))?;
    Ok(Some(migrations::record(table, column, ids)))
}
