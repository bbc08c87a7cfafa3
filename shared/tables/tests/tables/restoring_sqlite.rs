//! Rows of an archive are restored into SQLite databases that other connections use meanwhile.
mod again;
mod archive;
mod dangling;
mod foreign;
mod interrupted;
mod others;
mod pauses;
mod plans;
mod references;
mod refusals;
mod restore;
mod rolling_back;
mod round_trips;
mod schemas;
mod tables;

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

/// The restore id used by tests that need only one.
const ID: &str = "01900000-0000-7000-8000-000000000001";

/// An application's connection to a file, which is created if needed.
async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Runs any number of statements.
async fn run(connection: &mut SqliteConnection, sql: &str) {
    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await {
        panic!("{error}: {sql}");
    }
}

/// A database in WAL mode, filled by the statements.
async fn database(path: &Path, sql: &str) -> SqliteConnection {
    let mut connection = connect(path).await;
    run(&mut connection, sql).await;
    run(&mut connection, "PRAGMA journal_mode = wal; PRAGMA synchronous = off").await;
    connection
}

/// Checks that SQLite finds no error in the file.
async fn intact(connection: &mut SqliteConnection) {
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(connection).await.unwrap();
    assert_eq!(found, ["ok"]);
}

/// Everything in `sqlite_schema` that has a statement, sorted.
async fn schema(connection: &mut SqliteConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT type || ' ' || name || ' ' || sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE '\\_strongroom\\_%' ESCAPE '\\' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

/// The names of files in a directory, sorted.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
