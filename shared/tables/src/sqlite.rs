//! SQLite: one read transaction, or a copy made by `VACUUM INTO`.
//!
//! A deferred transaction has no snapshot before its first read, so the list of tables is read within it. In WAL mode,
//! writers continue meanwhile; in any other mode they wait, and the log says so.

mod connection;
mod foreign;
mod introspect;
mod large;
pub(crate) mod load;
mod outside;
mod reencrypt;
mod rows;
pub(crate) mod scratch;
mod size;
mod statements;
mod tokens;

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::fault::{Fault, is_sqlite_error};
use crate::migrations;
use crate::names::{find_column, find_table, quoted};
use crate::options::{Since, SnapshotInfo, SnapshotOptions};
use crate::outside::Outside;
use connection::Connection;
pub(crate) use reencrypt::SqliteRewriter;
pub(crate) use size::bytes;

/// An open read transaction and its findings.
pub(crate) struct SqliteSnapshot {
    connection: Connection,
    /// The copy that `connection` reads; removed on drop.
    _copy: Option<TempDir>,
    source: String,
    pub(crate) info: SnapshotInfo,
    pub(crate) tables: Vec<TableSchema>,
    pub(crate) outside: Outside,
    /// See [`large`].
    guarded: bool,
}

impl SqliteSnapshot {
    pub(crate) async fn open(url: &DatabaseUrl, path: &Path, options: &SnapshotOptions) -> Result<Self> {
        let source = &options.source;
        let mut connection = Connection::open(url, path, source, ROWS).await?;
        let mut copy = None;
        if options.temp_copy {
            copy = copy_database(&mut connection, source).await?;
        }
        let copied = copy.as_ref().map(|folder| folder.path().join(COPY));
        if copied.is_none() {
            warn_unless_wal(&mut connection, source).await?;
        }
        let guarded = large::is_possible(&mut connection).await.map_err(opening(source))?;
        let is_binary =
            guarded && large::has_binary_columns(&mut connection).await.map_err(opening(source))?;
        if is_binary || copied.is_some() {
            let rows = if is_binary { large::FEW_ROWS } else { ROWS };
            connection = Connection::open(url, copied.as_deref().unwrap_or(path), source, rows).await?;
        }
        let failed = |what: &'static str| move |error| Error::database(source, what, &error);
        sqlx::query("BEGIN").execute(&mut *connection).await.map_err(failed("beginning the snapshot"))?;
        let found =
            introspect::tables(&mut connection, options, true).await.map_err(failed("listing the tables"))?;
        options.check_only(&found.tables)?;
        let mut skipped = found.skipped;
        let outside =
            outside::read(&mut connection, options, &found.tables, found.statements, &mut skipped).await?;
        let kind = if copy.is_some() { "vacuum-copy" } else { "read-transaction" };
        let info = SnapshotInfo { engine: found.engine, kind, skipped, unreadable_times: Vec::new() };
        let (source, tables) = (source.clone(), found.tables);
        Ok(Self { connection, _copy: copy, source, info, tables, outside, guarded })
    }

    pub(crate) async fn read_table(
        &mut self,
        table: &str,
        since: Option<&Since>,
        blocks: &mpsc::Sender<Block>,
    ) -> Result<u64> {
        let table = &self.tables[find_table(&self.tables, table, &self.source)?];
        let sent = rows::read(&mut self.connection, table, since, self.guarded, blocks).await?;
        let column = since.map(|since| since.column.as_str()).unwrap_or_default();
        self.info.note_unreadable(table, column, sent.unreadable);
        Ok(sent.rows)
    }

    pub(crate) fn no_large_object(&self, oid: u32) -> Error {
        Error::missing(&self.source, format!("large object {oid}"))
    }

    pub(crate) async fn count_kids(&mut self, table: &str, column: &str) -> Result<Vec<(String, u64)>> {
        let table = &self.tables[find_table(&self.tables, table, &self.source)?];
        find_column(table, column)?;
        let (from, column) = (quoted(&table.table), quoted(column));
        let sql = format!(
            "SELECT substr(CAST(t.{column} AS TEXT), 6, 16), count(*) FROM main.{from} AS t \
             WHERE CAST(t.{column} AS TEXT) GLOB 'srv1.*' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10000"
        );
        let mut counts: Vec<(String, i64)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await.map_err(|error| {
                Error::database(&self.source, format!("counting keys in {}", table.name), &error)
            })?;
        counts.sort();
        Ok(counts.into_iter().map(|(kid, count)| (kid, count.unsigned_abs())).collect())
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(source = self.source, %error, "cannot close a SQLite snapshot cleanly");
        }
    }
}

/// The file's current tables.
pub(crate) async fn list_tables(
    url: &DatabaseUrl,
    path: &Path,
    options: &SnapshotOptions,
) -> Result<Vec<TableSchema>> {
    let mut connection = Connection::open(url, path, &options.source, ROWS).await?;
    let found = introspect::tables(&mut connection, options, false)
        .await
        .map_err(|error| Error::database(&options.source, "listing the tables", &error))?;
    options.check_exclude(&found.known)?;
    options.check_only(&found.tables)?;
    migrations::check(options, &found.tables)?;
    Ok(found.tables)
}

/// The copy's name in its directory.
const COPY: &str = "copy.sqlite";

/// Number of rows that the driver buffers: its own default.
const ROWS: usize = 50;

fn opening(source: &str) -> impl Fn(sqlx::Error) -> Error + '_ {
    |error| Error::database(source, "opening the database", &error)
}

/// The directory is accessible to this user alone (0700): the copy is as secret as the database.
///
/// Making a copy runs the schema's statements, which is impossible without the functions that its indexes call: the result is
/// then `None`, and the database is read in place.
async fn copy_database(connection: &mut SqliteConnection, source: &str) -> Result<Option<TempDir>> {
    let folder = tempfile::Builder::new()
        .prefix("strongroom-copy-")
        .tempdir()
        .map_err(|error| Error::TempCopy { name: source.to_owned(), source: error })?;
    let target = folder.path().join(COPY);
    let copied = sqlx::query("VACUUM main INTO ?1")
        .bind(target.to_string_lossy().into_owned())
        .execute(connection)
        .await;
    match copied {
        Ok(_) => Ok(Some(folder)),
        Err(error) if is_sqlite_error(&error) => {
            let error = Fault::of(&error);
            tracing::warn!(source, %error, "a temporary copy cannot be made; the database is read in place");
            Ok(None)
        }
        Err(error) => Err(Error::database(source, "copying the database", &error)),
    }
}

async fn warn_unless_wal(connection: &mut SqliteConnection, source: &str) -> Result<()> {
    let mode: String = sqlx::query_scalar("PRAGMA main.journal_mode")
        .fetch_one(connection)
        .await
        .map_err(opening(source))?;
    if mode != "wal" {
        tracing::warn!(
            source,
            mode,
            "the database is not in WAL mode: its writers wait while it is read; temp_copy = true avoids that"
        );
    }
    Ok(())
}
