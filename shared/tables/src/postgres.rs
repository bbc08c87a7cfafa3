//! PostgreSQL: one REPEATABLE READ READ ONLY transaction with all tables locked against schema changes.
//!
//! The order matters. The first query fixes the snapshot, and `LOCK TABLE` is not a query. So the names are listed in a
//! separate transaction, the tables are locked in a new one, and only then is anything read. Inside that snapshot the
//! catalogue therefore describes the tables as they are.

mod attached;
mod binary;
pub(crate) mod codes;
mod constraints;
mod copy;
pub(crate) mod functions;
mod introspect;
mod large;
mod large_objects;
mod layout;
pub(crate) mod load;
mod naming;
mod outside;
mod partitions;
mod probe;
mod properties;
mod reencrypt;
mod relations;
mod rights;
pub(crate) mod scratch;
mod sequences;
mod session;
mod size;
mod types;
mod views;

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::migrations;
use crate::names::{find_column, find_table, quoted};
use crate::options::{Since, SnapshotInfo, SnapshotOptions};
use crate::outside::Outside;
use introspect::Found;
use layout::Layout;
use probe::Probe;
pub(crate) use reencrypt::PostgresRewriter;
use relations::Relation;
use session::{begin, connect, end, expect_raw_text, reset_path, set_path};
pub(crate) use size::bytes;

/// An open transaction and its findings.
pub(crate) struct PostgresSnapshot {
    connection: PgConnection,
    source: String,
    pub(crate) info: SnapshotInfo,
    pub(crate) tables: Vec<TableSchema>,
    pub(crate) outside: Outside,
    /// One layout for each of `tables`.
    layouts: Vec<Layout>,
    /// Whether the database accepts arbitrary bytes as text.
    raw_text: bool,
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
        let mut locked = HashSet::new();
        lock(&mut connection, source, &listed.selected, &mut locked).await?;
        let relations = relations::list(&mut connection, options).await?;
        lock(&mut connection, source, &relations.selected, &mut locked).await?;
        let selected = &relations.selected;
        let probe = probe(&mut connection, source).await?;
        let found = introspect::tables(&mut connection, options, selected, &probe).await?;
        let Found { tables, mut layouts } = found;
        large::guard(&mut connection, selected, &tables, &mut layouts)
            .await
            .map_err(|error| Error::database(source, "looking for long rows", &error))?;
        functions::find_paths(&mut connection, selected, &tables, &mut layouts).await.map_err(|error| {
            Error::database(source, "looking at the functions of indexes and checks", &error)
        })?;
        let mut skipped = relations.skipped;
        let raw_text = probe.encoding == "SQL_ASCII";
        let engine = engine(&probe.version);
        let outside = outside::read(&mut connection, options, &tables, probe, &mut skipped).await?;
        let info = SnapshotInfo { engine, kind: "repeatable-read", skipped, unreadable_times: Vec::new() };
        Ok(Self { connection, source: source.clone(), info, tables, outside, layouts, raw_text })
    }

    pub(crate) async fn read_table(
        &mut self,
        table: &str,
        since: Option<&Since>,
        blocks: &mpsc::Sender<Block>,
    ) -> Result<u64> {
        let at = find_table(&self.tables, table, &self.source)?;
        if self.raw_text {
            expect_raw_text(&mut self.connection, &self.source, true).await?;
        }
        let (table, layout) = (&self.tables[at], &self.layouts[at]);
        set_path(&mut self.connection, &self.source, layout.path.as_deref()).await?;
        let sent = copy::read(&mut self.connection, table, layout, since, blocks).await?;
        reset_path(&mut self.connection, &self.source, layout.path.as_deref()).await?;
        if self.raw_text {
            expect_raw_text(&mut self.connection, &self.source, false).await?;
        }
        let column = since.map(|since| since.column.as_str()).unwrap_or_default();
        self.info.note_unreadable(table, column, sent.unreadable);
        Ok(sent.rows)
    }

    pub(crate) async fn read_large_object(&mut self, oid: u32, pieces: &mpsc::Sender<Bytes>) -> Result<u64> {
        large_objects::read(&mut self.connection, &self.source, oid, pieces).await
    }

    pub(crate) async fn count_kids(&mut self, table: &str, column: &str) -> Result<Vec<(String, u64)>> {
        let at = find_table(&self.tables, table, &self.source)?;
        find_column(&self.tables[at], column)?;
        let path = self.layouts[at].path.as_deref();
        set_path(&mut self.connection, &self.source, path).await?;
        let (from, column) = (&self.layouts[at].from, quoted(column));
        let sql = format!(
            "SELECT pg_catalog.substr(t.{column}::text, 6, 16), pg_catalog.count(*) FROM {from} AS t \
             WHERE t.{column}::text LIKE 'srv1.%' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10000"
        );
        let mut counts: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| Error::database(&self.source, format!("counting keys in {table}"), &error))?;
        reset_path(&mut self.connection, &self.source, path).await?;
        counts.sort();
        Ok(counts.into_iter().map(|(kid, count)| (kid, count.unsigned_abs())).collect())
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(source = self.source, %error, "cannot close a PostgreSQL snapshot cleanly");
        }
    }
}

/// The current tables.
pub(crate) async fn list_tables(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    options: &SnapshotOptions,
) -> Result<Vec<TableSchema>> {
    let mut connection = connect(url, connect_to, &options.source).await?;
    begin(&mut connection, &options.source).await?;
    let relations = relations::list(&mut connection, options).await?;
    options.check_exclude(&relations.known)?;
    let probe = probe(&mut connection, &options.source).await?;
    let found = introspect::tables(&mut connection, options, &relations.selected, &probe).await?;
    migrations::check(options, &found.tables)?;
    if let Err(error) = connection.close().await {
        tracing::debug!(source = options.source, %error, "the connection did not close cleanly");
    }
    Ok(found.tables)
}

async fn probe(connection: &mut PgConnection, source: &str) -> Result<Probe> {
    Probe::load(connection).await.map_err(|error| Error::database(source, "looking at the catalogue", &error))
}

/// Locks the relations that are not in `locked` yet, in one round trip. The number of statements that succeeded shows which
/// table failed.
async fn lock(
    connection: &mut PgConnection,
    source: &str,
    relations: &[Relation],
    locked: &mut HashSet<String>,
) -> Result<()> {
    let mut sql = String::new();
    let mut order = Vec::new();
    for relation in relations {
        for table in relation.locks() {
            if locked.contains(&table) {
                continue;
            }
            sql.push_str(&format!("LOCK TABLE {table} IN ACCESS SHARE MODE;\n"));
            locked.insert(table);
            order.push(relation);
        }
    }
    if sql.is_empty() {
        return Ok(());
    }
    let mut done = 0;
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).execute_many(connection);
    loop {
        match results.try_next().await {
            Ok(Some(_)) => done += 1,
            Ok(None) => return Ok(()),
            Err(error) => return Err(lock_error(source, order.get(done).copied(), &error)),
        }
    }
}

fn lock_error(source: &str, relation: Option<&Relation>, error: &sqlx::Error) -> Error {
    let (name, table) =
        (source.to_owned(), relation.map(|relation| relation.name.clone()).unwrap_or_default());
    match (relation, sqlstate(error)) {
        (Some(_), Some(codes::UNDEFINED_TABLE | codes::INVALID_SCHEMA_NAME)) => {
            Error::Vanished { name, table }
        }
        (Some(_), Some(codes::LOCK_NOT_AVAILABLE)) => Error::LockTimeout { name, table },
        (Some(relation), Some(codes::INSUFFICIENT_PRIVILEGE)) => {
            Error::Denied { name, table, advice: format!("GRANT SELECT ON {} to it", relation.qualified()) }
        }
        _ => Error::database(source, format!("locking table {table}"), error),
    }
}

/// Converts `15.18 (Debian …)` to `PostgreSQL 15.18`.
fn engine(version: &str) -> String {
    format!("PostgreSQL {}", version.split(' ').next().unwrap_or(version))
}
