//! The sample database: a few users, logs over two years, and rows that do not compress.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;

const SAMPLE: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO users VALUES (1, 'Ada'), (2, 'a \"quoted\" name'), (3, 'é');
    CREATE TABLE empty (id INTEGER);
    CREATE TABLE logs (id INTEGER PRIMARY KEY, at TEXT NOT NULL);
    INSERT INTO logs VALUES (1, '2025-06-01T00:00:00Z'), (2, '2026-06-01T00:00:00Z');
";

/// A folder with the sample database as `gateway.db`.
pub(crate) async fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), SAMPLE).await;
    folder
}

/// A folder whose database also has some 12 MB of noise.
pub(crate) async fn large_folder() -> TempDir {
    let folder = folder().await;
    run(
        folder.path(),
        "CREATE TABLE noise (id INTEGER PRIMARY KEY, data BLOB);
         INSERT INTO noise (data) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         SELECT randomblob(4000) FROM n;",
    )
    .await;
    folder
}

/// Runs statements in the folder's database.
pub(crate) async fn run(folder: &Path, sql: &str) {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("gateway.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
