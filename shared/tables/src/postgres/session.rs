//! The reading session: how it connects, and its settings.
//!
//! We send no settings of our own when connecting, because poolers refuse parameters that they do not know. (The driver
//! itself sends `client_encoding`, `DateStyle` and `TimeZone`, which poolers track.) The transaction sets everything. No
//! named statements are prepared, because a pooler passes the server connection, including such names, on to other clients.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use strongroom_store::DatabaseUrl;

use crate::error::{Error, Result};
use crate::fault::Fault;

/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn connect(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    source: &str,
) -> Result<PgConnection> {
    let options =
        connect_to.clone().extra_float_digits(None).statement_cache_capacity(0).disable_statement_logging();
    let (name, url) = (source.to_owned(), url.to_string());
    match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Error::Unreachable { name, url, fault: Fault::of(&error) }),
        Err(_) => Err(Error::NoAnswer { name, url, seconds: CONNECT_TIMEOUT.as_secs() }),
    }
}

/// The settings under which values are printed (FORMAT.md, section 5.1). The server's time limits are switched off,
/// because they would end a long export. All settings are local to the transaction. `client_connection_check_interval`
/// ends a query whose client has disconnected.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL application_name = 'strongroom';
SET LOCAL search_path = pg_catalog;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, MDY';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL row_security = off;
SET LOCAL quote_all_identifiers = off;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
";
/// Maximum wait of the transaction for a lock.
pub(super) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s';\n";

pub(super) async fn begin(connection: &mut PgConnection, source: &str) -> Result<()> {
    let version = connection.server_version_num().unwrap_or(0);
    let mut sql = [BEGIN, LOCK_TIMEOUT].concat();
    if version >= 140_000 {
        sql.push_str("SET LOCAL client_connection_check_interval = '1s';\n");
    }
    if version >= 170_000 {
        sql.push_str("SET LOCAL transaction_timeout = 0;\n");
    }
    run(connection, source, "beginning the snapshot", sql).await
}

pub(super) async fn end(connection: &mut PgConnection, source: &str) -> Result<()> {
    run(connection, source, "listing the tables", "ROLLBACK".to_owned()).await
}

/// Does `work` such that a failure leaves the transaction as it was. The outer error is the connection's.
pub(super) async fn attempt<T>(
    connection: &mut PgConnection,
    work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
) -> sqlx::Result<sqlx::Result<T>> {
    sqlx::raw_sql("SAVEPOINT attempt").execute(&mut *connection).await?;
    let done = work(&mut *connection).await;
    let end = if done.is_ok() { "RELEASE attempt" } else { "ROLLBACK TO attempt; RELEASE attempt" };
    match sqlx::raw_sql(end).execute(connection).await {
        Ok(_) => Ok(done),
        // If the connection is lost, the first error says so.
        Err(error) => Err(done.err().unwrap_or(error)),
    }
}

/// Lets text arrive as it is stored, so that invalid UTF-8 is found here and its column can be named. The server's own error
/// would not name it; the server only checks this in databases without an encoding (SQL_ASCII).
pub(super) async fn expect_raw_text(
    connection: &mut PgConnection,
    source: &str,
    expected: bool,
) -> Result<()> {
    let encoding = if expected { "SQL_ASCII" } else { "UTF8" };
    run(connection, source, "setting the encoding", format!("SET LOCAL client_encoding = '{encoding}'")).await
}

/// Sets the search path for a table that needs its own.
pub(super) async fn set_path(connection: &mut PgConnection, source: &str, path: Option<&str>) -> Result<()> {
    match path {
        Some(path) => {
            run(connection, source, "setting the path", format!("SET LOCAL search_path = {path}")).await
        }
        None => Ok(()),
    }
}

/// Reverts [`set_path`].
pub(super) async fn reset_path(
    connection: &mut PgConnection,
    source: &str,
    path: Option<&str>,
) -> Result<()> {
    set_path(connection, source, path.map(|_| "pg_catalog")).await
}

async fn run(connection: &mut PgConnection, source: &str, what: &str, sql: String) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).map_err(|error| Error::database(source, what, &error))
}
