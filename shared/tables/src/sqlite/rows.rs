//! SQLite rows as JSON: each value by its own storage class, whatever its column's type.
//!
//! SQLite could build the JSON itself in blocks, 2.8 times as fast (docs/performance.md), but not faithfully: its
//! functions refuse BLOB, pass on text that is not UTF-8, and round REAL.

use futures_util::TryStreamExt;
use serde_json::value::RawValue;
use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef};
use strongroom_archive::json;
use strongroom_archive::schema::TableSchema;
use tokio::sync::mpsc;

use super::large;
use crate::block::{Block, BlockBuilder, send_full};
use crate::error::{Error, Result};
use crate::limit;
use crate::names::{column_keys, find_column, quoted};
use crate::options::Since;
use crate::times::TimeFilter;

/// Number of rows sent, and how many of them have an unreadable time.
pub(super) struct Sent {
    pub(super) rows: u64,
    pub(super) unreadable: u64,
}

/// `guarded`: the file is large enough to contain a row that is too long.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    table: &TableSchema,
    since: Option<&Since>,
    guarded: bool,
    blocks: &mpsc::Sender<Block>,
) -> Result<Sent> {
    let mut filter = since.map(|since| time_filter(table, since)).transpose()?;
    match read_rows(connection, table, filter.as_mut(), guarded, blocks).await {
        Ok(rows) => Ok(Sent { rows, unreadable: filter.map_or(0, |filter| filter.unreadable) }),
        Err(Failure::Own(error)) => Err(error),
        Err(Failure::Driver(error)) => {
            let row = if guarded { large::find(connection, table).await } else { None };
            Err(match row {
                Some(row) => too_large(table, row),
                None => Error::database(&table.source, format!("reading table {}", table.name), &error),
            })
        }
    }
}

/// Why reading stopped. Driver errors need further analysis.
enum Failure {
    Own(Error),
    Driver(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

async fn read_rows(
    connection: &mut SqliteConnection,
    table: &TableSchema,
    mut filter: Option<&mut TimeFilter>,
    guarded: bool,
    blocks: &mpsc::Sender<Block>,
) -> Result<u64, Failure> {
    let keys = column_keys(table);
    let mut rows = BlockBuilder::default();
    let (mut sent, mut number) = (0, 0);
    let query = sqlx::query(AssertSqlSafe(select(table, guarded))).persistent(false);
    let mut stream = query.fetch(connection);
    while let Some(row) = stream.try_next().await? {
        number += 1;
        if let Some(filter) = &mut filter
            && !is_wanted(&row, filter)?
        {
            continue;
        }
        if !write_row(&row, &keys, rows.begin_row())? {
            return Err(Failure::Own(too_large(table, format!("row {number}"))));
        }
        rows.end_row();
        sent += send_full(&mut rows, blocks).await.map_err(Failure::Own)?;
    }
    rows.finish();
    Ok(sent + send_full(&mut rows, blocks).await.map_err(Failure::Own)?)
}

fn too_large(table: &TableSchema, row: String) -> Error {
    let (name, table) = (table.source.clone(), table.name.clone());
    Error::RowTooLarge { name, table, row, limit: limit::ROW_BYTES }
}

fn select(table: &TableSchema, guarded: bool) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("t.{}", quoted(&column.name))).collect();
    let sql = format!("SELECT {} FROM main.{} AS t", columns.join(", "), quoted(&table.table));
    match large::condition(table).filter(|_| guarded) {
        Some(condition) => format!("{sql} WHERE {condition}"),
        None => sql,
    }
}

/// Refuses columns whose declared type cannot hold times.
fn time_filter(table: &TableSchema, since: &Since) -> Result<TimeFilter> {
    let at = find_column(table, &since.column)?;
    let declared = &table.columns[at].type_name;
    let upper = declared.to_uppercase();
    if !["DATE", "TIME", "TEXT", "CHAR", "CLOB"].iter().any(|word| upper.contains(word)) {
        return Err(Error::TimeColumn {
            table: table.name.clone(),
            column: since.column.clone(),
            type_name: if declared.is_empty() { "no type".to_owned() } else { declared.clone() },
        });
    }
    Ok(TimeFilter::new(at, since.from))
}

#[expect(clippy::cast_precision_loss, reason = "a microsecond of the year 9999 has 57 bits")]
fn is_wanted(row: &SqliteRow, filter: &mut TimeFilter) -> sqlx::Result<bool> {
    let value = row.try_get_raw(filter.column)?;
    if value.is_null() {
        return Ok(false);
    }
    let failed = |source| sqlx::Error::ColumnDecode { index: filter.column.to_string(), source };
    let class = value.type_info().into_owned();
    match class.name() {
        "INTEGER" => {
            let number = <i64 as Decode<Sqlite>>::decode(value).map_err(failed)?;
            Ok(filter.keeps_number(number as f64))
        }
        "REAL" => {
            let number = <f64 as Decode<Sqlite>>::decode(value).map_err(failed)?;
            Ok(filter.keeps_number(number))
        }
        "TEXT" => {
            let text = <&[u8] as Decode<Sqlite>>::decode(value).map_err(failed)?;
            Ok(filter.keeps_text(text))
        }
        _ => Ok(filter.keeps_unreadable()),
    }
}

/// False if the row would be longer than an archive allows.
fn write_row(row: &SqliteRow, keys: &[Vec<u8>], out: &mut Vec<u8>) -> sqlx::Result<bool> {
    let start = out.len();
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(key);
        let fits = write_value(row.try_get_raw(index)?, start, out)
            .map_err(|source| sqlx::Error::ColumnDecode { index: index.to_string(), source })?;
        if !fits {
            return Ok(false);
        }
    }
    out.push(b'}');
    Ok(!limit::is_over(out.len() - start))
}

/// One value in the form of archive rows.
pub(super) fn json_value(row: &SqliteRow, index: usize) -> sqlx::Result<Box<RawValue>> {
    let mut json = Vec::new();
    let failed = |source| sqlx::Error::ColumnDecode { index: index.to_string(), source };
    if !write_value(row.try_get_raw(index)?, 0, &mut json).map_err(failed)? {
        json = b"null".to_vec();
    }
    let text = String::from_utf8(json).map_err(|error| failed(error.into()))?;
    RawValue::from_string(text).map_err(|error| failed(error.into()))
}

/// The type of a value that is not NULL is its storage class, not its column's declared type. False if the row, which begins
/// at `start`, has no room for the value.
fn write_value(
    value: SqliteValueRef<'_>,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<bool, sqlx::error::BoxDynError> {
    if value.is_null() {
        out.extend_from_slice(b"null");
        return Ok(true);
    }
    let class = value.type_info().into_owned();
    match class.name() {
        "INTEGER" => {
            let number = <i64 as Decode<Sqlite>>::decode(value)?;
            out.extend_from_slice(number.to_string().as_bytes());
        }
        "REAL" => json::write_real(out, <f64 as Decode<Sqlite>>::decode(value)?),
        "TEXT" => {
            let text = <&[u8] as Decode<Sqlite>>::decode(value)?;
            if limit::exceeds(out.len() - start, text, limit::text_length) {
                return Ok(false);
            }
            write_text(out, text);
        }
        "BLOB" => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?;
            if limit::exceeds(out.len() - start, bytes, |bytes| bytes.len() / 3 * 4) {
                return Ok(false);
            }
            json::write_blob(out, bytes);
        }
        other => return Err(format!("unknown storage class {other}").into()),
    }
    Ok(true)
}

/// SQLite stores any bytes that it is given as TEXT.
fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => json::write_string(out, text),
        Err(_) => json::write_text_bytes(out, bytes),
    }
}
