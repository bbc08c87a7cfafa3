//! References that a restore, or taking it back, leaves without the row that they refer to: foreign keys are off meanwhile.
//!
//! SQLite enforces none unless asked, so that references may have led nowhere before. Those are no fault of ours, also where
//! rows go away and come back. So they are noted before the first row changes, row by row: counts could cancel out. The note
//! lasts as long as the restore, because its rollback brings back what led nowhere before the restore.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::difference::joined;
use super::live::Live;
use super::markers::{Marked, dangling_table, run};
use super::references::{self, Reference};
use crate::load::{Mode, Refusal};
use crate::names::quoted;

/// Foreign keys that a restore in `mode` may harm, or taking it back. Between restored tables they are as the archive has them,
/// and afterwards as they were, unless a merge left rows of others there. Where rows of any table `follow`, all of them.
pub(super) fn near(live: &Live, tables: &[Marked], mode: Mode, follow: bool) -> Vec<Reference> {
    let is_near = |one: &Reference| follow || one.from.at.is_some() || one.to.at.is_some();
    let mut found = references::all(live, tables);
    found.retain(|one| is_near(one) && (mode == Mode::Merge || !one.is_within(tables)));
    found
}

/// Notes each row that refers to nothing now.
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

/// Rows that refer to nothing now, and were not noted.
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
        // With a limit the inner query stays one, so that notes are looked up for rows that lead nowhere alone.
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

/// Of what was loaded into empty tables, which are those of `tables`. No row of others has lost anything.
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

/// The rows of the referencing table, as `c`, that refer to nothing: `FROM … WHERE …`. A join may make an index of its own.
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

/// What tells one row's reference from another's, as a text: its key, if it has one, and what it refers to.
fn row(live: &Live, one: &Reference) -> String {
    let key = live.table(&one.from.table).and_then(|table| table.keys.iter().find(|key| key.is_complete));
    let key = key.iter().flat_map(|key| &key.columns).map(|(name, _)| name);
    let values = key.chain(one.columns.iter().map(|(from, _, _)| from));
    joined(&values.map(|name| format!("quote(c.{})", quoted(name))).collect::<Vec<_>>())
}
