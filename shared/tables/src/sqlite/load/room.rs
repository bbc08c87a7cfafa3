//! Checks whether there is enough free space beside the database for a restore.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::live::Live;
use super::pair::Pair;
use super::stage_file;
use crate::load::{Mode, Refusal, Wanted};
use crate::names::quoted;

/// Number of rows sampled to estimate a row's length.
const SAMPLE: u32 = 1000;
/// Overhead of a row and of a column, in bytes.
const ROW: u64 = 16;
const COLUMN: u64 = 8;
/// Assumed length of a value if there is no row to sample, in bytes.
const VALUE: u64 = 24;

/// Estimates the staged rows, and in the worst case all old and all new rows in the write-ahead log. Rows in the archive are
/// assumed to be as long as the table's rows.
pub(super) async fn needed(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    live: &Live,
    pairs: &[Pair],
) -> sqlx::Result<u64> {
    let mut bytes = 0_u64;
    for (table, pair) in wanted.tables.iter().zip(pairs) {
        let is_there = live.table(&table.schema.table).is_some();
        let (rows, average) = if is_there { rows(connection, pair).await? } else { (0, 0) };
        let columns = pair.columns.len() as u64;
        let value = if average == 0 { VALUE * columns } else { average };
        let row = value + ROW + COLUMN * columns;
        let copies = match wanted.mode {
            Mode::IntoEmpty => table.rows,
            Mode::Merge => table.rows.saturating_mul(2),
            Mode::Replace => table.rows.saturating_mul(2).saturating_add(rows),
        };
        bytes = bytes.saturating_add(copies.saturating_mul(row));
    }
    Ok(bytes)
}

/// The number of a table's rows, and their average length.
async fn rows(connection: &mut SqliteConnection, pair: &Pair) -> sqlx::Result<(u64, u64)> {
    let from = quoted(&pair.live);
    let columns: Vec<String> = pair.names().map(quoted).collect();
    let mut sum = 0.0;
    // SQLite does not accept a longer expression.
    for some in columns.chunks(100) {
        let lengths = some.iter().map(|column| format!("total(octet_length(t.{column}))"));
        let sql = format!(
            "SELECT {} FROM (SELECT {} FROM main.{from} LIMIT {SAMPLE}) AS t",
            lengths.collect::<Vec<_>>().join(" + "),
            some.join(", ")
        );
        sum += sqlx::query_scalar::<_, f64>(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
    }
    let sql = format!("SELECT count(*) FROM main.{from}");
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await?;
    let rows = rows.unsigned_abs();
    let sampled = rows.clamp(1, u64::from(SAMPLE));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of lengths")]
    let average = sum as u64 / sampled;
    Ok((rows, average))
}

/// Refuses if the database's directory has less free space.
pub(super) fn refusal(path: &Path, needed: u64) -> Option<Refusal> {
    let disk = rustix::fs::statvfs(stage_file::folder(path)).ok()?;
    let available = disk.f_bavail.saturating_mul(disk.f_frsize);
    (needed > available).then_some(Refusal::Space { needed, available })
}
