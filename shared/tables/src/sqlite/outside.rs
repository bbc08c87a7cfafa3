//! What the file has outside of its tables' rows.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::manifest::{Migrations, Sequence};
use strongroom_archive::schema::{DatabaseSchema, Engine, TableSchema, View};

use super::statements::Statements;
use crate::error::{Error, Result};
use crate::names::quoted;
use crate::options::{Skipped, SnapshotOptions};
use crate::outside::Outside;
use crate::{RESTORE_TABLES, migrations};

/// Reads it; what an archive does not hold is named in `skipped`.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
    skipped: &mut Vec<Skipped>,
) -> Result<Outside> {
    let source = &options.source;
    let failed = |what: &'static str| move |error| Error::database(source, what, &error);
    let header = failed("reading the file's header");
    Ok(Outside {
        encoding: pragma(connection, "encoding").await.map_err(header)?,
        extensions: Vec::new(),
        sequences: sequences(connection, tables, skipped).await.map_err(failed("reading sqlite_sequence"))?,
        user_version: Some(pragma_number(connection, "user_version").await.map_err(header)?),
        application_id: Some(pragma_number(connection, "application_id").await.map_err(header)?),
        migrations: migrations(connection, options, tables).await?,
        schema: DatabaseSchema {
            source: source.clone(),
            engine: Engine::Sqlite,
            views: views(connection).await.map_err(failed("reading the views"))?,
            notes: Default::default(),
        },
        large_objects: Vec::new(),
    })
}

async fn pragma(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<String> {
    sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA main.{name}"))).fetch_one(connection).await
}

async fn pragma_number(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA main.{name}"))).fetch_one(connection).await
}

/// The positions of AUTOINCREMENT. Applications may write anything to this table: it has no types.
async fn sequences(
    connection: &mut SqliteConnection,
    tables: &[TableSchema],
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<Sequence>> {
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence')")
            .fetch_one(&mut *connection)
            .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, Option<i64>, String)> = sqlx::query_as(
        "SELECT CAST(name AS TEXT), CASE typeof(seq) WHEN 'integer' THEN seq END, CAST(seq AS TEXT)
         FROM main.sqlite_sequence WHERE name IS NOT NULL AND seq IS NOT NULL ORDER BY 1, rowid",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut sequences = Vec::new();
    for (name, position, text) in rows {
        if !tables.iter().any(|table| table.table.eq_ignore_ascii_case(&name)) {
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
                reason: format!("AUTOINCREMENT stands at {text:?}, which is no number"),
            }),
        }
    }
    Ok(sequences)
}

/// In the order in which they were created. A view that does not work any more is kept as it is.
async fn views(connection: &mut SqliteConnection) -> sqlx::Result<Vec<View>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM main.sqlite_schema
         WHERE type = 'view' AND sql IS NOT NULL AND substr(name, 1, length(?1)) <> ?1 COLLATE NOCASE
         ORDER BY rowid",
    )
    .bind(RESTORE_TABLES)
    .fetch_all(&mut *connection)
    .await?;
    let mut statements = Statements::load(connection).await?;
    let view = |(name, definition): (String, String)| View {
        triggers: statements.triggers_of(&name),
        namespace: String::new(),
        name,
        materialized: false,
        definition,
        options: Vec::new(),
        reads: Vec::new(),
        rules: Vec::new(),
        indexes: Vec::new(),
    };
    Ok(rows.into_iter().map(view).collect())
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
