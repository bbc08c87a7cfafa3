//! Transactions for writing.
//!
//! As in [`super::super::session`], everything is set within the transaction and no named statements are prepared, so that a
//! pooler can be in between. Values are read under the settings with which the exporter printed them.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::statements::literal;
use crate::error::{Error, Result};

/// `xmloption` allows fragments in columns of type xml. Acknowledging a commit before it is written is not good enough for a
/// restore.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL application_name = 'strongroom';
SET LOCAL search_path = pg_catalog;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, MDY';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = content;
SET LOCAL row_security = off;
SET LOCAL quote_all_identifiers = off;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local');
";

/// Begins a transaction that waits at most `lock` for each lock.
pub(in crate::postgres) async fn begin(
    connection: &mut PgConnection,
    source: &str,
    lock: Duration,
) -> Result<()> {
    begin_as(connection, source, lock, BEGIN.to_owned()).await
}

/// Begins a transaction whose statements all see the same rows.
pub(super) async fn begin_snapshot(
    connection: &mut PgConnection,
    source: &str,
    lock: Duration,
) -> Result<()> {
    let sql = BEGIN.replacen("READ COMMITTED", "REPEATABLE READ", 1);
    begin_as(connection, source, lock, sql).await
}

async fn begin_as(
    connection: &mut PgConnection,
    source: &str,
    lock: Duration,
    mut sql: String,
) -> Result<()> {
    let version = connection.server_version_num().unwrap_or(0);
    if version >= 140_000 {
        sql.push_str("SET LOCAL client_connection_check_interval = '1s';\n");
    }
    if version >= 170_000 {
        sql.push_str("SET LOCAL transaction_timeout = 0;\n");
    }
    sql.push_str(&lock_timeout(lock));
    run(connection, source, "beginning a write transaction", sql).await
}

/// Names the session after the restore until the end of the transaction, so that a process that takes over the restore can
/// find it.
pub(super) async fn name_after(connection: &mut PgConnection, source: &str, restore: &str) -> Result<()> {
    let sql = format!("SET LOCAL application_name = {}", literal(&program_of(restore)));
    run(connection, source, "beginning a write transaction", sql).await
}

/// The application name of a session that writes for a restore. Names have at most 63 bytes, and an id has 36.
pub(super) fn program_of(restore: &str) -> String {
    format!("strongroom {restore}")
}

/// The statement that limits the wait for each later lock; at least a millisecond, because 0 means no limit.
pub(super) fn lock_timeout(lock: Duration) -> String {
    format!("SET LOCAL lock_timeout = '{}ms';\n", lock.as_millis().clamp(1, 2_000_000_000))
}

/// After an error it is unknown whether the transaction was committed: the marker shows it.
pub(in crate::postgres) async fn commit(connection: &mut PgConnection, source: &str) -> Result<()> {
    run(connection, source, "committing", "COMMIT".to_owned()).await
}

pub(super) async fn roll_back(connection: &mut PgConnection, source: &str) -> Result<()> {
    run(connection, source, "rolling back", "ROLLBACK".to_owned()).await
}

/// Runs any number of statements. `what` describes their purpose.
pub(in crate::postgres) async fn run(
    connection: &mut PgConnection,
    source: &str,
    what: impl Into<String>,
    sql: String,
) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).map_err(|error| Error::database(source, what, &error))
}

/// Waits until the server has ended this session, and with it any open transaction.
pub(super) async fn close(connection: PgConnection, source: &str) {
    if let Err(error) = connection.close().await {
        tracing::warn!(source, %error, "cannot close the connection of a restore cleanly");
    }
}
