//! Applies foreign key actions to rows outside the restored tables when the rows that they reference are gone.
//!
//! The server would use triggers for this, but they are disabled during a swap. So it is done here, statement by statement,
//! until nothing is left to do. The previous rows are kept, so that a rollback can bring them back.

pub(super) mod foreseen;

use std::collections::HashMap;

use super::pair::Place;
use super::references::Reference;
use super::registry::OutsideTable;
use super::statements::{Failure, Session};
use crate::error::Error;
use crate::load::Refusal;
use crate::names::quoted;
use crate::postgres::naming::archive_name;
use crate::postgres::types::Oid;

/// Applies the actions of those foreign keys in `keys` that belong to tables outside the restore, once the restored
/// tables hold their new rows. Returns the changed tables.
pub(super) async fn follow(
    session: &mut Session<'_>,
    keys: &[Reference],
    place: &Place,
) -> Result<Vec<OutsideTable>, Failure> {
    let mut changed: HashMap<Oid, OutsideTable> = HashMap::new();
    let outside: Vec<&Reference> =
        keys.iter().filter(|key| key.from.is_outside() && key.is_valid && !key.is_temporal).collect();
    loop {
        let mut has_changed = false;
        for key in &outside {
            let rows = session.count("following the foreign keys", dangling(key)).await?;
            if rows == 0 {
                continue;
            }
            if !key.acts() {
                return Err(refused(session, referenced(key, rows)));
            }
            if !changed.contains_key(&key.from.oid) {
                let table = open(session, key, place, changed.len()).await?;
                changed.insert(key.from.oid, table);
            }
            if let Some(table) = changed.get_mut(&key.from.oid) {
                act(session, key, table).await?;
            }
            has_changed = true;
        }
        if !has_changed {
            break;
        }
    }
    let mut tables: Vec<OutsideTable> = changed.into_values().collect();
    tables.sort_by(|a, b| a.undo.cmp(&b.undo));
    Ok(tables)
}

fn dangling(key: &Reference) -> String {
    format!("SELECT count(*) FROM {} AS f WHERE {}", key.from.rows(), key.dangles(&key.to.rows()))
}

fn referenced(key: &Reference, rows: u64) -> Refusal {
    Refusal::Referenced { table: key.to.name(), from: key.from.name(), constraint: key.name.clone(), rows }
}

fn refused(session: &Session<'_>, refusal: Refusal) -> Failure {
    Error::Refused { name: session.source.to_owned(), refusals: vec![refusal] }.into()
}

/// Creates a table for the previous rows.
async fn open(
    session: &mut Session<'_>,
    key: &Reference,
    place: &Place,
    number: usize,
) -> Result<OutsideTable, Failure> {
    let undo = place.table("x", number);
    let sql = format!("CREATE TABLE {undo} AS SELECT f.* FROM {} AS f WHERE false", key.from.rows());
    session.run("keeping rows outside of the restored tables", sql).await?;
    let sql = format!(
        "SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY AS u (number, place)
         JOIN pg_attribute a ON a.attrelid = {0} AND a.attnum = u.number
         WHERE k.conrelid = {0} AND k.contype = 'p' ORDER BY u.place",
        key.from.oid
    );
    let columns: Vec<(String,)> = session.rows("reading the keys", sql).await?;
    Ok(OutsideTable {
        namespace: key.from.namespace.clone(),
        table: key.from.table.clone(),
        is_partitioned: key.from.is_partitioned,
        undo,
        key: columns.into_iter().map(|(column,)| column).collect(),
        sets: Vec::new(),
    })
}

async fn act(session: &mut Session<'_>, key: &Reference, table: &mut OutsideTable) -> Result<(), Failure> {
    const WHAT: &str = "following the foreign keys";
    let (from, undo) = (key.from.rows(), table.undo.clone());
    let dangles = key.dangles(&key.to.rows());
    let kept = table
        .same_row("u", "f")
        .map(|same| format!(" AND NOT EXISTS (SELECT FROM {undo} AS u WHERE {same})"));
    if kept.is_none() && key.on_delete != "c" {
        let problem = format!(
            "its rows reference others that would be removed, and without a primary key they could not be put back \
             (constraint {})",
            key.name
        );
        return Err(refused(session, Refusal::Unsupported { table: table.name(), problem }));
    }
    let keep =
        format!("INSERT INTO {undo} SELECT f.* FROM {from} AS f WHERE {dangles}{}", kept.unwrap_or_default());
    session.run(WHAT, keep).await?;
    if key.on_delete == "c" {
        return session.run(WHAT, format!("DELETE FROM {from} AS f WHERE {dangles}")).await.map(drop);
    }
    table
        .sets
        .extend(key.sets.iter().filter(|column| !table.sets.contains(column)).cloned().collect::<Vec<_>>());
    let value = if key.on_delete == "n" { "NULL" } else { "DEFAULT" };
    let sets: Vec<String> = key.sets.iter().map(|column| format!("{} = {value}", quoted(column))).collect();
    session.run(WHAT, format!("UPDATE {from} AS f SET {} WHERE {dangles}", sets.join(", "))).await?;
    // A default can dangle, too.
    match session.count(WHAT, dangling(key)).await? {
        0 => Ok(()),
        rows => Err(refused(session, referenced(key, rows))),
    }
}

impl OutsideTable {
    pub(super) fn name(&self) -> String {
        archive_name(&self.namespace, &self.table)
    }

    pub(super) fn rows(&self) -> String {
        super::references::rows(&self.namespace, &self.table, self.is_partitioned)
    }

    /// A condition that both rows have the same primary key, compared byte for byte. `None` without a primary key.
    pub(super) fn same_row(&self, one: &str, other: &str) -> Option<String> {
        if self.key.is_empty() {
            return None;
        }
        let row = |alias: &str| {
            let columns: Vec<String> =
                self.key.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
            format!("ROW({})", columns.join(", "))
        };
        Some(format!("pg_catalog.record_image_eq({}, {})", row(one), row(other)))
    }
}
