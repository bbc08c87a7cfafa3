//! Constraints of the target that the archive's rows would violate, determined before anything is applied.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;

use super::compare::count;
use super::difference::staged;
use super::key::Key;
use super::live::Live;
use super::pair::Pair;
use crate::load::{Refusal, Wanted};
use crate::names::quoted;

/// Staged rows that would violate a unique constraint of the target. Columns that were also unique in the archive's table are
/// not checked.
pub(super) async fn unique(
    connection: &mut SqliteConnection,
    live: &Live,
    wanted: &Wanted,
    pairs: &[Pair],
) -> sqlx::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for (table, pair) in wanted.tables.iter().zip(pairs).filter(|(_, pair)| !pair.is_derived) {
        let Some(found) = live.table(&pair.live) else { continue };
        for key in found.keys.iter().filter(|key| !is_archived(&table.schema, key)) {
            let Some(sql) = doubles(pair, key) else { continue };
            let rows = count(connection, sql).await?;
            let columns: Vec<&str> = key.columns.iter().map(|(name, _)| name.as_str()).collect();
            let constraint = format!("the unique index over {}", columns.join(", "));
            let refusal = Refusal::Violated { table: pair.name.clone(), constraint, rows };
            refusals.extend((rows > 0).then_some(refusal));
        }
    }
    Ok(refusals)
}

fn is_archived(table: &TableSchema, key: &Key) -> bool {
    let is_it = |columns: &[String]| {
        columns.len() == key.columns.len()
            && key.columns.iter().all(|(name, collation)| columns.contains(name) && collation == "BINARY")
    };
    is_it(&table.primary_key) || table.unique().any(is_it)
}

/// SQL: the number of rows that duplicate an earlier one.
fn doubles(pair: &Pair, key: &Key) -> Option<String> {
    let place = |name: &String| pair.names().position(|column| column == name);
    let columns = key.columns.iter().map(|(name, collation)| Some((place(name)?, collation)));
    let columns = columns.collect::<Option<Vec<_>>>()?;
    let set = columns.iter().map(|(at, _)| format!("c{at} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let group = columns.iter().map(|(at, collation)| format!("c{at} COLLATE {}", quoted(collation)));
    let group = group.collect::<Vec<_>>().join(", ");
    let staged = staged(pair.at);
    Some(format!(
        "SELECT CAST(total(more) AS INTEGER) FROM
             (SELECT count(*) - 1 AS more FROM {staged} WHERE {set} GROUP BY {group} HAVING count(*) > 1)"
    ))
}
