//! The database of the fictional gateway.

use std::path::Path;

use anyhow::{Context as _, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};

const SQL: &str = include_str!("../../../../../deploy/sample/gateway.sql");

/// Creates the database in `file`, and returns the total number of rows in its tables.
pub(super) async fn create(file: &Path) -> Result<i64> {
    let mut connection = open(file).await?;
    sqlx::raw_sql(SQL).execute(&mut connection).await.context("the sample gateway's SQL")?;
    let mut rows = 0;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut connection)
        .await?;
    for table in tables {
        // The names come from our own file.
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        rows += sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await?;
    }
    connection.close().await?;
    Ok(rows)
}

/// Creates a database without tables in `file`.
pub(super) async fn create_empty(file: &Path) -> Result<()> {
    open(file).await?.close().await?;
    Ok(())
}

/// Number of endpoints of the gateway.
pub(super) async fn endpoints(file: &Path) -> Result<i64> {
    let mut connection = open(file).await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM endpoints").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

/// Writes credential ids to the gateway's own columns: endpoint 1, template 2, wrapper setting 4.
pub(super) async fn store_ids(file: &Path, endpoint: &str, template: &str, wrapper: &str) -> Result<()> {
    let mut connection = open(file).await?;
    for (statement, id) in [
        ("UPDATE endpoints SET credential_id = $1 WHERE id = 1", endpoint),
        ("UPDATE provider_templates SET credential_id = $1 WHERE id = 2", template),
        ("UPDATE wrapper_provider_settings SET credential_id = $1 WHERE id = 4", wrapper),
    ] {
        sqlx::query(statement).bind(id).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        // In WAL mode writers do not wait for a backup.
        .journal_mode(SqliteJournalMode::Wal);
    options.connect().await.with_context(|| format!("cannot open {}", file.display()))
}
