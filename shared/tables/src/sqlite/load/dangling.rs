//! References that dangle after a restore or a rollback, during which foreign keys are off.
//!
//! SQLite enforces foreign keys only on request, so references may already have been dangling. The restore did not cause
//! those, even if their rows are deleted and come back. So they are recorded before the first row changes, row by row: counts
//! could cancel out. The record is kept as long as the restore, because its rollback brings back references that were
//! dangling before it.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::difference::joined;
use super::live::Live;
use super::markers::{Marked, dangling_table, run};
use super::references::{self, Reference};
use crate::load::{Mode, Refusal};
use crate::names::quoted;

/// Foreign keys that a restore in `mode`, or its rollback, could violate. References between restored tables are as in the
/// archive, and after a rollback as they were, unless a merge left other rows in these tables. If rows of any table `follow`,
/// all foreign keys.
pub(super) fn near(live: &Live, tables: &[Marked], mode: Mode, follow: bool) -> Vec<Reference> {
    let is_near = |one: &Reference| follow || one.from.at.is_some() || one.to.at.is_some();
    let mut found = references::all(live, tables);
    found.retain(|one| is_near(one) && (mode == Mode::Merge || !one.is_within(tables)));
    found
}

/// Records each row that dangles now.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    live: &Live,
    digits: &str,
    references: &[Reference],
) -> sqlx::Result<()> {
    let noted = dangling_table(digits);
    run(connection, format!("CREATE TABLE IF NOT EXISTS {noted} (reference, row)")).await?;
    for one in references {
        let sql = format!("INSERT INTO {noted} SELECT ?1, {} {}", row(live, one), rows(one));
        sqlx::query(AssertSqlSafe(sql))
            .bind(one.identity())
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Rows that dangle now and were not recorded.
pub(super) async fn refusals(
    connection: &mut SqliteConnection,
    live: &Live,
    digits: &str,
    references: &[&Reference],
    tables: &[Marked],
) -> sqlx::Result<Vec<Refusal>> {
    let noted = dangling_table(digits);
    let mut refusals = Vec::new();
    for one in references {
        // The LIMIT keeps the inner query separate, so that only dangling rows are looked up in the record.
        let sql = format!(
            "SELECT count(*) FROM (SELECT {} AS row {} LIMIT -1)
             WHERE row NOT IN (SELECT row FROM {noted} WHERE reference = ?1)",
            row(live, one),
            rows(one)
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(one.identity()).persistent(false);
        let rows: i64 = query.fetch_one(&mut *connection).await?;
        refusals.extend((rows > 0).then(|| one.refusal(tables, rows.unsigned_abs())));
    }
    Ok(refusals)
}

/// Dangling rows among those loaded into empty tables, which are `tables`. Rows of other tables cannot have lost a reference.
pub(super) async fn of_loaded(
    connection: &mut SqliteConnection,
    live: &Live,
    digits: &str,
    tables: &[Marked],
) -> sqlx::Result<Vec<Refusal>> {
    let near = near(live, tables, Mode::IntoEmpty, false);
    let loaded: Vec<&Reference> = near.iter().filter(|one| one.from.at.is_some()).collect();
    refusals(connection, live, digits, &loaded, tables).await
}

/// The rows of the referencing table, as `c`, that dangle: `FROM … WHERE …`. A join can create an index of its own.
fn rows(one: &Reference) -> String {
    let is_missing = one.columns.first().map(|(_, to, _)| format!("p.{} IS NULL", quoted(to)));
    format!(
        "FROM main.{} AS c LEFT JOIN main.{} AS p ON {} WHERE {} AND {}",
        quoted(&one.from.table),
        quoted(&one.to.table),
        one.matches("c", "p"),
        one.is_set("c"),
        is_missing.unwrap_or_else(|| "false".to_owned())
    )
}

/// A text that identifies one row's reference: the row's key, if it has one, and the referenced values.
fn row(live: &Live, one: &Reference) -> String {
    let key = live.table(&one.from.table).and_then(|table| table.keys.iter().find(|key| key.is_complete));
    let key = key.iter().flat_map(|key| &key.columns).map(|(name, _)| name);
    let values = key.chain(one.columns.iter().map(|(from, _, _)| from));
    joined(&values.map(|name| format!("quote(c.{})", quoted(name))).collect::<Vec<_>>())
}
