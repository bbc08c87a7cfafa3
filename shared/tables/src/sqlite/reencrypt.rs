//! Replaces sealed values in a SQLite file. A reader does not block writers of a database in WAL mode, and a batch is one
//! statement that commits itself, so live writers wait for milliseconds.

mod column;

use std::path::Path;

use futures_util::TryStreamExt;
use serde_json::value::RawValue;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef};
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;

use super::connection::Connection;
use super::{introspect, rows};
use crate::error::{Error, Result};
use crate::fault::sqlite_code;
use crate::names::quoted;
use crate::options::SnapshotOptions;
use crate::reencrypt::{Change, FoundValue, KeyPart, Page, RowKey, SealedColumn, Walk, check};
use column::Column;

/// Maximum number of parameters of one statement, a little below SQLite's limit.
const PARAMETERS: usize = 32_000;

/// A connection to the file for writing.
pub(crate) struct SqliteRewriter {
    connection: Connection,
    source: String,
    columns: Vec<Column>,
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

impl SqliteRewriter {
    pub(crate) async fn open(
        url: &DatabaseUrl,
        path: &Path,
        options: &SnapshotOptions,
        columns: &[SealedColumn],
    ) -> Result<Self> {
        let source = &options.source;
        let failed = |error| Error::database(source, "opening the database", &error);
        let mut connection = Connection::open_writer(url, path, source).await?;
        let found = introspect::tables(&mut connection, options, false).await.map_err(failed)?;
        let mut described = Vec::with_capacity(columns.len());
        for column in columns {
            let table = &found.tables[check(&found.tables, column, source)?];
            if has_null_keys(&mut connection, table).await.map_err(failed)? {
                return Err(Error::NullInKey { name: source.clone(), table: table.name.clone() });
            }
            described.push(Column::of(table, column));
        }
        // Our UPDATE may fire the application's triggers: an error is better than rows whose references dangle.
        let enforce = sqlx::query("PRAGMA foreign_keys = ON").execute(&mut *connection);
        enforce.await.map_err(failed)?;
        Ok(Self { connection, source: source.clone(), columns: described })
    }

    pub(crate) async fn page(&mut self, column: usize, walk: Walk<'_>) -> Result<Page> {
        let column = &self.columns[column];
        let read = read(&mut self.connection, column, walk).await;
        read.map_err(|error| Error::database(&self.source, format!("reading table {}", column.table), &error))
    }

    pub(crate) async fn replace(&mut self, column: usize, changes: &[Change]) -> Result<u64> {
        let column = &self.columns[column];
        let mut replaced = 0;
        for changes in changes.chunks((PARAMETERS / column.each()).max(1)) {
            match write(&mut self.connection, column, changes).await {
                Ok(rows) => replaced += rows,
                Err(error) if is_held(&error) => {}
                Err(error) => {
                    let what = format!("writing table {}", column.table);
                    return Err(Error::database(&self.source, what, &error));
                }
            }
        }
        Ok(replaced)
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(source = self.source, %error, "cannot close a SQLite database cleanly");
        }
    }
}

/// Whether another program held the write lock for longer than this connection waits for it (its busy timeout).
fn is_held(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    matches!(sqlite_code(error) & 0xff, BUSY | LOCKED)
}

/// SQLite allows NULL in any key except a rowid's.
async fn has_null_keys(connection: &mut Connection, table: &TableSchema) -> sqlx::Result<bool> {
    let is_null: Vec<String> =
        table.primary_key.iter().map(|key| format!("t.{} IS NULL", quoted(key))).collect();
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM main.{} AS t WHERE {})",
        quoted(&table.table),
        is_null.join(" OR ")
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut **connection).await
}

fn bind<'q>(mut query: Bound<'q>, key: &'q RowKey) -> Bound<'q> {
    for part in &key.0 {
        query = match part {
            KeyPart::Text(text) => query.bind(text.as_str()),
            KeyPart::Integer(number) => query.bind(*number),
            KeyPart::Real(number) => query.bind(*number),
            KeyPart::Bytes { bytes, .. } => query.bind(bytes.as_slice()),
        };
    }
    query
}

async fn read(connection: &mut Connection, column: &Column, walk: Walk<'_>) -> sqlx::Result<Page> {
    let longest = i64::try_from(walk.longest).unwrap_or(i64::MAX);
    let prefix = format!("srv1.{}.", walk.kid);
    let query = sqlx::query(AssertSqlSafe(column.page(walk.after))).persistent(false);
    let mut query = query.bind(walk.rows).bind(longest).bind(prefix);
    if let Some(after) = walk.after {
        query = bind(query, after);
    }
    let mut page = Page::default();
    let mut stream = query.fetch(&mut **connection);
    while let Some(row) = stream.try_next().await? {
        let key = row_key(&row, column.keys)?;
        let value = found(&row, column, key.clone())?;
        if page.take(key, value, walk) {
            break;
        }
    }
    Ok(page)
}

async fn write(connection: &mut Connection, column: &Column, changes: &[Change]) -> sqlx::Result<u64> {
    let mut query = sqlx::query(AssertSqlSafe(column.replace(changes))).persistent(false);
    for Change { key, old, new } in changes {
        query = bind(query.bind(old.as_str()).bind(new.as_str()), key);
    }
    Ok(query.execute(&mut **connection).await?.rows_affected())
}

fn found(row: &SqliteRow, column: &Column, key: RowKey) -> sqlx::Result<Option<FoundValue>> {
    let at = column.keys;
    let kind = row.try_get::<i64, _>(at)?;
    let text = match kind {
        0 => return Ok(None),
        // Text that is not UTF-8 is not a sealed value.
        1 => row.try_get::<String, _>(at + 1).ok(),
        _ => None,
    };
    let is_counted = text.as_ref().map_or(kind == 3, |text| text.starts_with("srv1."));
    let needed = (at + 2..at + 2 + column.needed).map(|index| rows::json_value(row, index));
    Ok(Some(FoundValue {
        key,
        text,
        is_counted,
        needed: needed.collect::<sqlx::Result<Vec<Box<RawValue>>>>()?,
    }))
}

fn row_key(row: &SqliteRow, parts: usize) -> sqlx::Result<RowKey> {
    let part = |index: usize| {
        let failed = |source| sqlx::Error::ColumnDecode { index: index.to_string(), source };
        key_part(row.try_get_raw(index)?).map_err(failed)
    };
    Ok(RowKey((0..parts).map(part).collect::<sqlx::Result<_>>()?))
}

fn key_part(value: SqliteValueRef<'_>) -> Result<KeyPart, sqlx::error::BoxDynError> {
    let class = value.type_info().into_owned();
    Ok(match class.name() {
        "INTEGER" => KeyPart::Integer(<i64 as Decode<Sqlite>>::decode(value)?),
        "REAL" => KeyPart::Real(<f64 as Decode<Sqlite>>::decode(value)?),
        "TEXT" => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?.to_vec();
            match String::from_utf8(bytes) {
                Ok(text) => KeyPart::Text(text),
                Err(error) => KeyPart::Bytes { bytes: error.into_bytes(), is_text: true },
            }
        }
        _ => KeyPart::Bytes { bytes: <&[u8] as Decode<Sqlite>>::decode(value)?.to_vec(), is_text: false },
    })
}
