//! SQLite's only lock for writers.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::markers::run;
use crate::error::{Error, Result};
use crate::fault::sqlite_code;

/// First and longest pause between two attempts. Nobody waits for us meanwhile.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

/// Begins a write transaction.
///
/// # Errors
/// [`Error::Locked`] if others write all the time.
pub(super) async fn begin(connection: &mut SqliteConnection, source: &str, limit: Duration) -> Result<()> {
    try_long(connection, "BEGIN IMMEDIATE", source, limit).await
}

/// Commits. Without WAL, readers delay the commit until they have finished.
///
/// # Errors
/// As for [`begin`]; everything is then rolled back.
pub(super) async fn commit(connection: &mut SqliteConnection, source: &str, limit: Duration) -> Result<()> {
    let committed = try_long(connection, "COMMIT", source, limit).await;
    if committed.is_err() {
        roll_back(connection).await;
    }
    committed
}

/// Ends a transaction, if one is still open: some errors end it themselves.
pub(super) async fn roll_back(connection: &mut SqliteConnection) {
    run(connection, "ROLLBACK".to_owned()).await.ok();
}

/// Retries for `limit`, which SQLite's own busy timeout would exceed.
async fn try_long(
    connection: &mut SqliteConnection,
    statement: &str,
    source: &str,
    limit: Duration,
) -> Result<()> {
    run(connection, "PRAGMA busy_timeout = 0".to_owned()).await.map_err(failed(source))?;
    let done = retry(connection, statement, source, limit).await;
    run(connection, "PRAGMA busy_timeout = 5000".to_owned()).await.map_err(failed(source))?;
    done
}

async fn retry(
    connection: &mut SqliteConnection,
    statement: &str,
    source: &str,
    limit: Duration,
) -> Result<()> {
    let started = Instant::now();
    let mut pause = FIRST;
    loop {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await;
        match done {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && started.elapsed() < limit => {
                tokio::time::sleep(pause.min(limit.saturating_sub(started.elapsed()))).await;
                pause = (pause * 2).min(LONGEST);
            }
            Err(error) if is_busy(&error) => {
                let (name, seconds) = (source.to_owned(), limit.as_secs());
                return Err(Error::Locked { name, seconds, holders: String::new() });
            }
            Err(error) => return Err(failed(source)(error)),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error) & 0xff, 5 | 6)
}

fn failed(source: &str) -> impl Fn(sqlx::Error) -> Error + '_ {
    |error| Error::database(source, "locking the database", &error)
}
