//! SQLite rows as JSON: each value by its own storage class, whatever its column declares.
//!
//! SQLite could build the JSON itself in blocks, in 0.7 of the time in a prototype, but not faithfully: its functions refuse
//! BLOB, pass on text that is not UTF-8, and round REAL.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef};
use strongroom_archive::json;
use strongroom_archive::schema::TableSchema;
use tokio::sync::mpsc;

use crate::block::{Block, BlockBuilder, send_full};
use crate::error::{Error, Result};
use crate::names::{column_keys, find_column, quoted};
use crate::options::Since;

pub(super) async fn read(
    connection: &mut SqliteConnection,
    table: &TableSchema,
    since: Option<&Since>,
    blocks: &mpsc::Sender<Block>,
) -> Result<u64> {
    let failed = |error| Error::database(&table.source, format!("reading table {}", table.name), error);
    let mut query = sqlx::query(AssertSqlSafe(select(table, since)?)).persistent(false);
    if let Some(since) = since {
        query = query.bind(since.from.div_euclid(1000));
    }
    let keys = column_keys(table);
    let mut rows = BlockBuilder::default();
    let mut sent = 0;
    let mut stream = query.fetch(connection);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        write_row(&row, &keys, rows.begin_row()).map_err(failed)?;
        rows.end_row();
        sent += send_full(&mut rows, blocks).await?;
    }
    rows.finish();
    Ok(sent + send_full(&mut rows, blocks).await?)
}

fn select(table: &TableSchema, since: Option<&Since>) -> Result<String> {
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("t.{}", quoted(&column.name))).collect();
    let mut sql = format!("SELECT {} FROM main.{} AS t", columns.join(", "), quoted(&table.table));
    if let Some(since) = since {
        sql.push_str(&time_condition(table, &since.column)?);
    }
    Ok(sql)
}

/// Both sides in one form, to the millisecond (SQLite's own resolution); a bare date counts until its end. A
/// value that SQLite cannot read as a time is kept: leaving out what may be wanted would be worse.
fn time_condition(table: &TableSchema, column: &str) -> Result<String> {
    let declared = &table.columns[find_column(table, column)?].type_name;
    let upper = declared.to_uppercase();
    if !["DATE", "TIME", "TEXT", "CHAR", "CLOB"].iter().any(|word| upper.contains(word)) {
        return Err(Error::TimeColumn {
            table: table.name.clone(),
            column: column.to_owned(),
            type_name: if declared.is_empty() { "no type".to_owned() } else { declared.clone() },
        });
    }
    let column = quoted(column);
    Ok(format!(
        " WHERE t.{column} IS NOT NULL AND coalesce(strftime('{TIME}', t.{column}, \
         iif(length(t.{column}) = 10 AND typeof(t.{column}) = 'text', '+86399.999 seconds', '+0 seconds')) \
         >= strftime('{TIME}', ?1 / 1000.0, 'unixepoch'), 1)"
    ))
}

const TIME: &str = "%Y-%m-%d %H:%M:%f";

fn write_row(row: &SqliteRow, keys: &[Vec<u8>], out: &mut Vec<u8>) -> sqlx::Result<()> {
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(key);
        write_value(row.try_get_raw(index)?, out)
            .map_err(|source| sqlx::Error::ColumnDecode { index: index.to_string(), source })?;
    }
    out.push(b'}');
    Ok(())
}

/// The type of a value that is not NULL is its storage class, not its column's declared type.
fn write_value(value: SqliteValueRef<'_>, out: &mut Vec<u8>) -> Result<(), sqlx::error::BoxDynError> {
    if value.is_null() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let class = value.type_info().into_owned();
    match class.name() {
        "INTEGER" => {
            let number = <i64 as Decode<Sqlite>>::decode(value)?;
            out.extend_from_slice(number.to_string().as_bytes());
        }
        "REAL" => json::write_real(out, <f64 as Decode<Sqlite>>::decode(value)?),
        "TEXT" => write_text(out, <&[u8] as Decode<Sqlite>>::decode(value)?),
        "BLOB" => json::write_blob(out, <&[u8] as Decode<Sqlite>>::decode(value)?),
        other => return Err(format!("unknown storage class {other}").into()),
    }
    Ok(())
}

/// SQLite stores whatever bytes it was given as TEXT.
fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => json::write_string(out, text),
        Err(_) => json::write_text_bytes(out, bytes),
    }
}
