//! Rows that are too long for an archive, stopped before SQLite fetches them: the driver copies a row whole before
//! anyone can measure it.
//!
//! `octet_length` reads no more of a value than its header. The condition fails at the first row that is too long,
//! with an error that any statement might give; so the row is looked for then. A file that is smaller than the limit
//! has no such row, and is read without the condition.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;

use crate::limit::ROW_BYTES;
use crate::names::quoted;

/// Whether the file has room for a row that is too long. A BLOB takes four bytes in an archive for three.
pub(super) async fn is_possible(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let (pages, size): (i64, i64) =
        sqlx::query_as("SELECT (SELECT page_count FROM pragma_page_count('main')), (SELECT page_size FROM pragma_page_size('main'))")
            .fetch_one(connection)
            .await?;
    Ok(pages.saturating_mul(size).unsigned_abs() > ROW_BYTES / 4 * 3)
}

/// True for a row that fits; an error for one that does not.
pub(super) fn condition(table: &TableSchema) -> String {
    // Nothing else in SQL stops a statement: there is no function that raises an error.
    format!("CASE WHEN {} > {ROW_BYTES} THEN json('') ELSE true END", length(table))
}

/// The first row that is too long.
pub(super) async fn find(connection: &mut SqliteConnection, table: &TableSchema) -> Option<String> {
    let (from, length) = (quoted(&table.table), length(table));
    // A table without rowid has no short name for a row, and one may have a column called `rowid`.
    for place in ["t._rowid_", "NULL"] {
        let sql =
            format!("SELECT {place}, {length} FROM main.{from} AS t WHERE {length} > {ROW_BYTES} LIMIT 1");
        let found: sqlx::Result<Option<(Option<i64>, i64)>> =
            sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_optional(&mut *connection).await;
        match found {
            Ok(Some((Some(rowid), bytes))) => {
                return Some(format!("the row with rowid {rowid}, {bytes} bytes,"));
            }
            Ok(Some((None, bytes))) => return Some(format!("a row of {bytes} bytes")),
            Ok(None) => return None,
            Err(_) => {}
        }
    }
    None
}

/// An expression for a row's length in an archive, at least. Computed columns are left out: measuring computes them.
fn length(table: &TableSchema) -> String {
    let stored = table.columns.iter().filter(|column| column.generated.as_deref() != Some("virtual"));
    let lengths: Vec<String> = stored
        .map(|column| {
            let value = format!("t.{}", quoted(&column.name));
            format!("ifnull(octet_length({value}) * iif(typeof({value}) = 'blob', 4, 3) / 3, 0)")
        })
        .collect();
    if lengths.is_empty() { "0".to_owned() } else { format!("({})", lengths.join(" + ")) }
}
