//! Predicts the further effects of cascades outside the restored tables, on rows that reference rows which would be deleted
//! themselves. This is for a plan, so nothing is changed: the positions of rows that would be deleted go into temporary
//! tables.
//!
//! Only deleted rows are followed, not rows that lose a value: a reference to a column that another foreign key can set is
//! found by the swap.

use std::collections::{HashMap, HashSet};

use crate::postgres::load::difference::Difference;
use crate::postgres::load::references::{End, Reference};
use crate::postgres::load::statements::{Failure, Session};
use crate::postgres::load::violations::Found;
use crate::postgres::types::Oid;

const WHAT: &str = "following the foreign keys";
/// Maximum number of rounds in which rows are followed that reference rows of their own table, or each other in a circle.
/// Further rows are not counted.
const MOST_ROUNDS: usize = 100;

/// The affected rows of each of `keys` with both ends outside the restored tables, in the stage's transaction.
pub(in crate::postgres::load) async fn further<'k>(
    session: &mut Session<'_>,
    keys: &'k [Reference],
    differences: &[Difference<'_>],
) -> Result<Vec<Found<'k>>, Failure> {
    if !keys.iter().any(Reference::is_outside) {
        return Ok(Vec::new());
    }
    let readable = readable(session, keys).await?;
    let is_told = |key: &&Reference| {
        key.from.is_outside() && key.is_valid && !key.is_temporal && readable.contains(&key.from.oid)
    };
    let keys: Vec<&Reference> = keys.iter().filter(is_told).collect();
    let mut gone = Gone::default();
    let mut counts: HashMap<usize, u64> = HashMap::new();
    for _ in 0..MOST_ROUNDS {
        let mut has_more = false;
        for (at, key) in keys.iter().enumerate().filter(|(_, key)| key.on_delete == "c") {
            let Some(condition) = gone.condition(key, differences) else { continue };
            let rows = gone.add(session, &key.from, &condition).await?;
            *counts.entry(at).or_default() += rows;
            has_more |= rows > 0;
        }
        if !has_more {
            break;
        }
    }
    let mut found = Vec::new();
    for (at, key) in keys.iter().enumerate().filter(|(_, key)| key.is_outside()) {
        let rows = match gone.condition(key, differences) {
            Some(condition) if key.on_delete != "c" => {
                let sql = format!("SELECT count(*) FROM {} AS f WHERE {condition}", key.from.rows());
                session.count(WHAT, sql).await?
            }
            _ => counts.get(&at).copied().unwrap_or_default(),
        };
        if rows > 0 {
            found.push(Found { key, rows });
        }
    }
    gone.forget(session).await?;
    Ok(found)
}

/// The effect on the rows if it is accepted.
pub(in crate::postgres::load) fn warning(found: &Found<'_>) -> String {
    let Found { key, rows } = found;
    let (from, to, constraint) = (key.from.name(), key.to.name(), &key.name);
    match key.on_delete.as_str() {
        "c" => format!(
            "{rows} rows of {from} are removed with the rows of {to} that they reference (constraint {constraint})"
        ),
        _ => format!(
            "{rows} rows of {from} lose their references to removed rows of {to} (constraint {constraint})"
        ),
    }
}

/// Outside tables whose rows this role can see. Rights on the others are requested where they would be followed.
async fn readable(session: &mut Session<'_>, keys: &[Reference]) -> Result<HashSet<Oid>, Failure> {
    let outside = keys.iter().map(|key| &key.from).filter(|end| end.is_outside());
    let outside: Vec<String> = outside.map(|end| end.oid.to_string()).collect();
    let sql = format!(
        "SELECT c.oid::int8 FROM pg_class c
         WHERE c.oid = ANY ('{{{}}}'::int8[]::oid[]) AND has_table_privilege(c.oid, 'SELECT')
           AND has_schema_privilege(c.relnamespace, 'USAGE') AND NOT row_security_active(c.oid)",
        outside.join(",")
    );
    let readable: Vec<(Oid,)> = session.rows("inspecting the surrounding tables", sql).await?;
    Ok(readable.into_iter().map(|(oid,)| oid).collect())
}

/// For each outside table that loses rows, the temporary table with their positions.
#[derive(Default)]
struct Gone(HashMap<Oid, String>);

impl Gone {
    /// A condition that a row of `f` would dangle and is not recorded yet. `None` if the referenced table loses no rows.
    fn condition(&self, key: &Reference, differences: &[Difference<'_>]) -> Option<String> {
        let to = match (self.0.get(&key.to.oid), key.to.root) {
            (Some(gone), None) => {
                format!("(SELECT o.* FROM {} AS o WHERE NOT {})", key.to.rows(), is_in(gone, "o"))
            }
            (None, None) => return None,
            (_, Some(_)) => {
                let of = differences.iter().find(|one| one.pair.oid == key.to.oid);
                of.filter(|one| one.loads(&key.referenced))?.after(false)
            }
        };
        let dangles = key.dangles(&to);
        Some(match self.0.get(&key.from.oid) {
            Some(gone) => format!("{dangles} AND NOT {}", is_in(gone, "f")),
            None => dangles,
        })
    }

    /// Records the rows of a table that meet the condition.
    async fn add(&mut self, session: &mut Session<'_>, from: &End, condition: &str) -> Result<u64, Failure> {
        let count = self.0.len();
        let gone =
            self.0.entry(from.oid).or_insert_with(|| format!("pg_temp.strongroom_gone_{count}")).clone();
        if self.0.len() > count {
            session.run(WHAT, format!("CREATE TABLE {gone} (part oid, place tid)")).await?;
        }
        let rows = from.rows();
        let sql = format!("INSERT INTO {gone} SELECT f.tableoid, f.ctid FROM {rows} AS f WHERE {condition}");
        let rows = session.run(WHAT, sql).await?;
        session.run(WHAT, format!("ANALYZE {gone}")).await?;
        Ok(rows)
    }

    async fn forget(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tables = self.0.into_values().map(|gone| format!("DROP TABLE {gone}"));
        session.run_each(WHAT, tables.collect()).await
    }
}

fn is_in(gone: &str, alias: &str) -> String {
    format!("EXISTS (SELECT FROM {gone} AS g WHERE g.part = {alias}.tableoid AND g.place = {alias}.ctid)")
}
