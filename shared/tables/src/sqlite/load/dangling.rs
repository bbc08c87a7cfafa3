//! References that lead nowhere, before and after rows are taken back: foreign keys are off meanwhile. Some may have led nowhere
//! before, because SQLite enforces none unless asked: also between tables that come back exactly as they were.

use sqlx::sqlite::SqliteConnection;

use super::live::Live;
use crate::fault::sqlite_code;
use crate::load::{Mode, Refusal};

/// The code of an error of the schema.
const ERROR: i32 = 1;

/// Rows of a table without the row that they reference.
pub(super) struct Dangling {
    from: String,
    to: String,
    /// The foreign key's number.
    key: i64,
    rows: u64,
}

/// Those of `names`, which are taken back from a restore in `mode`, and of tables that reference them. Taken back from a merge, a
/// table may have rows since then that stay; from another restore, it is as it was, so that its references to others of `names`
/// lead where they led.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    live: &Live,
    names: &[&str],
    mode: Mode,
) -> sqlx::Result<Vec<Dangling>> {
    let is_near = |table: &str| names.iter().any(|name| name.eq_ignore_ascii_case(table));
    let mut found = Vec::new();
    for table in &live.tables {
        let schema = &table.schema;
        let references = schema.foreign_keys.iter().any(|key| is_near(&key.references.table));
        if schema.foreign_keys.is_empty() || !(is_near(&schema.table) || references) {
            continue;
        }
        let rows = sqlx::query_as(
            "SELECT \"parent\", \"fkid\", count(*) FROM pragma_foreign_key_check(?1) GROUP BY 1, 2",
        )
        .bind(&schema.table)
        .persistent(false)
        .fetch_all(&mut *connection)
        .await;
        let rows: Vec<(String, i64, i64)> = match rows {
            // A foreign key that refers to no unique columns is never enforced.
            Err(error) if sqlite_code(&error) == ERROR => Vec::new(),
            rows => rows?,
        };
        let is_as_it_was = |to: &str| mode != Mode::Merge && is_near(&schema.table) && is_near(to);
        // What refers to a table that is not there does so whatever is taken back.
        let matters = |to: &str| live.table(to).is_some() && !is_as_it_was(to);
        let dangling = |(to, key, rows): (String, i64, i64)| Dangling {
            from: schema.table.clone(),
            to,
            key,
            rows: rows.unsigned_abs(),
        };
        found.extend(rows.into_iter().filter(|(to, ..)| matters(to)).map(dangling));
    }
    Ok(found)
}

/// What there is more of afterwards.
pub(super) fn more(before: &[Dangling], after: &[Dangling]) -> Vec<Refusal> {
    let rows_before = |one: &Dangling| {
        before
            .iter()
            .find(|other| other.from == one.from && other.key == one.key)
            .map_or(0, |other| other.rows)
    };
    let refused = |one: &Dangling| {
        let rows = one.rows.saturating_sub(rows_before(one));
        let constraint = format!("foreign key {}", one.key);
        (rows > 0).then(|| Refusal::Referenced {
            table: one.to.clone(),
            from: one.from.clone(),
            constraint,
            rows,
        })
    };
    after.iter().filter_map(refused).collect()
}
