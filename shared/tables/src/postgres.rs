//! PostgreSQL: one REPEATABLE READ READ ONLY transaction with all tables locked against change.
//!
//! The order matters. A snapshot is fixed by the first query, and `LOCK TABLE` is none: so the names are
//! listed in a transaction of their own, the tables locked in a new one, and only then is anything read. What
//! the catalogue says inside the snapshot is then what the tables are.

mod binary;
mod copy;
mod introspect;
mod relations;
mod types;

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::names::{find_column, find_table, quoted};
use crate::options::{Since, SnapshotInfo, SnapshotOptions};
use introspect::{Found, Layout};
use relations::Relation;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An open transaction with what was found in it.
pub(crate) struct PostgresSnapshot {
    connection: PgConnection,
    source: String,
    pub(crate) info: SnapshotInfo,
    pub(crate) tables: Vec<TableSchema>,
    /// One for each of `tables`.
    layouts: Vec<Layout>,
}

impl PostgresSnapshot {
    pub(crate) async fn open(
        url: &DatabaseUrl,
        connect_to: &PgConnectOptions,
        options: &SnapshotOptions,
    ) -> Result<Self> {
        let source = &options.source;
        let mut connection = connect(url, connect_to, source).await?;
        begin(&mut connection, source).await?;
        let listed = relations::list(&mut connection, options).await?;
        end(&mut connection, source).await?;

        begin(&mut connection, source).await?;
        lock(&mut connection, source, &listed.selected).await?;
        let relations = relations::list(&mut connection, options).await?;
        let is_new = |relation: &&Relation| !listed.selected.iter().any(|other| other.oid == relation.oid);
        let new: Vec<Relation> = relations.selected.iter().filter(is_new).cloned().collect();
        lock(&mut connection, source, &new).await?;
        let Found { tables, layouts } =
            introspect::tables(&mut connection, options, relations.selected).await?;

        let info = SnapshotInfo {
            engine: engine(&mut connection, source).await?,
            kind: "repeatable-read",
            skipped: relations.skipped,
        };
        Ok(Self { connection, source: source.clone(), info, tables, layouts })
    }

    pub(crate) async fn read_table(
        &mut self,
        table: &str,
        since: Option<&Since>,
        blocks: &mpsc::Sender<Block>,
    ) -> Result<u64> {
        let at = find_table(&self.tables, table, &self.source)?;
        copy::read(&mut self.connection, &self.tables[at], &self.layouts[at], since, blocks).await
    }

    pub(crate) async fn count_kids(&mut self, table: &str, column: &str) -> Result<Vec<(String, u64)>> {
        let at = find_table(&self.tables, table, &self.source)?;
        find_column(&self.tables[at], column)?;
        let (from, column) = (&self.layouts[at].from, quoted(column));
        let sql = format!(
            "SELECT substr(t.{column}::text, 6, 16), count(*) FROM {from} AS t \
             WHERE t.{column}::text LIKE 'srv1.%' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10000"
        );
        let mut counts: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| Error::database(&self.source, format!("counting keys in {table}"), error))?;
        counts.sort();
        Ok(counts.into_iter().map(|(kid, count)| (kid, count.unsigned_abs())).collect())
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(source = self.source, %error, "cannot close a PostgreSQL snapshot cleanly");
        }
    }
}

/// The tables as they are now.
pub(crate) async fn list_tables(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    options: &SnapshotOptions,
) -> Result<Vec<TableSchema>> {
    let mut connection = connect(url, connect_to, &options.source).await?;
    begin(&mut connection, &options.source).await?;
    let relations = relations::list(&mut connection, options).await?;
    let found = introspect::tables(&mut connection, options, relations.selected).await?;
    if let Err(error) = connection.close().await {
        tracing::debug!(source = options.source, %error, "the connection did not close cleanly");
    }
    Ok(found.tables)
}

/// Statements are not kept prepared: each runs once, and a connection pooler in between may not know them.
async fn connect(url: &DatabaseUrl, connect_to: &PgConnectOptions, source: &str) -> Result<PgConnection> {
    let options = connect_to
        .clone()
        .application_name("strongroom")
        .statement_cache_capacity(0)
        .disable_statement_logging();
    match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            Err(Error::Unreachable { name: source.to_owned(), url: url.to_string(), source: error })
        }
        Err(_) => Err(Error::NoAnswer {
            name: source.to_owned(),
            url: url.to_string(),
            seconds: CONNECT_TIMEOUT.as_secs(),
        }),
    }
}

/// The settings that values are printed by, and limits that must not end a long export. All are local to the
/// transaction. `client_connection_check_interval` ends a query whose client has left.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = pg_catalog;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, MDY';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '5s';
";

async fn begin(connection: &mut PgConnection, source: &str) -> Result<()> {
    let version = connection.server_version_num().unwrap_or(0);
    let mut sql = BEGIN.to_owned();
    if version >= 140_000 {
        sql.push_str("SET LOCAL client_connection_check_interval = '1s';\n");
    }
    if version >= 170_000 {
        sql.push_str("SET LOCAL transaction_timeout = 0;\n");
    }
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map_err(|error| Error::database(source, "beginning the snapshot", error))?;
    Ok(())
}

async fn end(connection: &mut PgConnection, source: &str) -> Result<()> {
    sqlx::raw_sql("ROLLBACK")
        .execute(connection)
        .await
        .map_err(|error| Error::database(source, "listing the tables", error))?;
    Ok(())
}

/// Locks in one round trip. The number of statements that succeeded tells which table failed.
async fn lock(connection: &mut PgConnection, source: &str, relations: &[Relation]) -> Result<()> {
    let mut sql = String::new();
    for relation in relations {
        sql.push_str(&format!("LOCK TABLE {} IN ACCESS SHARE MODE;\n", relation.from()));
    }
    if sql.is_empty() {
        return Ok(());
    }
    let mut locked = 0;
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).execute_many(connection);
    loop {
        match results.try_next().await {
            Ok(Some(_)) => locked += 1,
            Ok(None) => return Ok(()),
            Err(error) => return Err(lock_error(source, relations.get(locked), error)),
        }
    }
}

/// 42P01 is an undefined table, 3F000 an undefined schema, 55P03 a lock timeout, 42501 a missing right.
fn lock_error(source: &str, relation: Option<&Relation>, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    let (name, table) =
        (source.to_owned(), relation.map(|relation| relation.name.clone()).unwrap_or_default());
    match (relation, code.as_deref()) {
        (Some(_), Some("42P01" | "3F000")) => Error::Vanished { name, table },
        (Some(_), Some("55P03")) => Error::LockTimeout { name, table },
        (Some(relation), Some("42501")) => {
            Error::Denied { name, table, advice: format!("GRANT SELECT ON {} to it", relation.qualified()) }
        }
        _ => Error::database(source, format!("locking table {table}"), error),
    }
}

/// `15.18 (Debian …)` becomes `PostgreSQL 15.18`.
async fn engine(connection: &mut PgConnection, source: &str) -> Result<String> {
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version')")
        .fetch_one(connection)
        .await
        .map_err(|error| Error::database(source, "asking for the version", error))?;
    Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or(&version)))
}
