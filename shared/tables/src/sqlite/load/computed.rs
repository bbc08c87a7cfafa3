//! Tables that cannot be written to without their application, because a check or an index calls its functions.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::pair::Pair;
use crate::fault::{Fault, is_sqlite_error};
use crate::load::Refusal;
use crate::names::quoted;

/// Refuses such a table. Statements are prepared but not run.
pub(super) async fn refusal(connection: &mut SqliteConnection, pair: &Pair) -> sqlx::Result<Option<Refusal>> {
    if pair.is_derived || pair.columns.is_empty() {
        return Ok(None);
    }
    let table = quoted(&pair.live);
    let columns = pair.names().map(quoted).collect::<Vec<_>>().join(", ");
    let values = vec!["NULL"; pair.columns.len()].join(", ");
    let insert = format!("EXPLAIN INSERT INTO main.{table} ({columns}) VALUES ({values})");
    let Some(mut fault) = explain(connection, insert).await? else { return Ok(None) };
    // The error may come from a trigger, which does not exist while rows are written.
    let has_triggers: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)",
    )
    .bind(&pair.live)
    .fetch_one(&mut *connection)
    .await?;
    if has_triggers {
        match explain(connection, format!("EXPLAIN REINDEX main.{table}")).await? {
            Some(found) => fault = found,
            None => return Ok(None),
        }
    }
    let problem = format!("it cannot be written to without its application: {fault}");
    Ok(Some(Refusal::Unsupported { table: pair.name.clone(), problem }))
}

/// Why the statement cannot be prepared.
async fn explain(connection: &mut SqliteConnection, sql: String) -> sqlx::Result<Option<Fault>> {
    match sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await {
        Ok(_) => Ok(None),
        Err(error) if is_sqlite_error(&error) => Ok(Some(Fault::of(&error))),
        Err(error) => Err(error),
    }
}
