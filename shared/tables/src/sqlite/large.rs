//! Stops rows that are too long for an archive before SQLite fetches them, because the driver copies a whole row before it
//! can be measured, and buffers several.
//!
//! `octet_length` reads only a value's header, but still has a cost for each value. So it is only applied to columns intended
//! for binary data, and in files that are large enough; any other value that is too long is found after it was fetched, and
//! is not converted to JSON. The condition fails at the first row that is too long, with an error that any statement could
//! cause; so the row is searched for afterwards.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Column, TableSchema};

use crate::limit::ROW_BYTES;
use crate::names::quoted;

/// Number of rows that the driver buffers if rows may be long; otherwise it buffers 50.
pub(super) const FEW_ROWS: usize = 4;

/// Whether the file is large enough for a row that is too long. Three bytes of a BLOB take four bytes in an archive.
pub(super) async fn is_possible(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let pages: i64 = sqlx::query_scalar("PRAGMA main.page_count").fetch_one(&mut *connection).await?;
    let size: i64 = sqlx::query_scalar("PRAGMA main.page_size").fetch_one(connection).await?;
    Ok(pages.saturating_mul(size).unsigned_abs() > ROW_BYTES / 4 * 3)
}

/// Whether any table has columns intended for binary data.
pub(super) async fn has_binary_columns(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema AS s, pragma_table_xinfo(s.name, 'main') AS c
         WHERE s.type = 'table' AND s.rootpage > 0 AND (c.type = '' OR c.type LIKE '%blob%'))",
    )
    .fetch_one(connection)
    .await
}

/// A condition that is true for a row that fits and fails for one that does not; `None` for a table without such columns.
pub(super) fn condition(table: &TableSchema) -> Option<String> {
    let length = length(table)?;
    // No function raises errors, but this one fails for the empty text. Written this way, it is not evaluated in advance.
    Some(format!("CASE WHEN {length} > {ROW_BYTES} THEN json(substr({length}, 99)) ELSE true END"))
}

/// Finds the first row that is too long.
pub(super) async fn find(connection: &mut SqliteConnection, table: &TableSchema) -> Option<String> {
    let (from, length) = (quoted(&table.table), length(table)?);
    // A table without rowid has no short identifier for a row.
    for place in ["t._rowid_", "NULL"] {
        let sql =
            format!("SELECT {place}, {length} FROM main.{from} AS t WHERE {length} > {ROW_BYTES} LIMIT 1");
        let found: sqlx::Result<Option<(Option<i64>, i64)>> =
            sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_optional(&mut *connection).await;
        match found {
            Ok(Some((Some(rowid), bytes))) => {
                return Some(format!("the row with rowid {rowid} with {bytes} bytes"));
            }
            Ok(Some((None, bytes))) => return Some(format!("a row with {bytes} bytes")),
            Ok(None) => return None,
            Err(_) => {}
        }
    }
    None
}

/// An expression for the minimum length of a row in an archive. Generated columns are left out, because measuring would
/// compute them.
fn length(table: &TableSchema) -> Option<String> {
    let is_binary = |column: &&Column| {
        let declared = column.type_name.to_ascii_lowercase();
        column.generated.is_none() && (declared.is_empty() || declared.contains("blob"))
    };
    let binary = table.columns.iter().filter(is_binary);
    let lengths: Vec<String> =
        binary.map(|column| format!("ifnull(octet_length(t.{}), 0)", quoted(&column.name))).collect();
    (!lengths.is_empty()).then(|| format!("(({}) * 4 / 3)", lengths.join(" + ")))
}
