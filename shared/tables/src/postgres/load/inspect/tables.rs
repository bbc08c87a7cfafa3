//! Checks whether this restore can write to each table.

use strongroom_archive::schema::TriggerState;

use super::facts::{Fact, Facts};
use crate::load::{Mode, Refusal, TargetOptions, Wanted, WantedTable};
use crate::names::quoted;
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::references::rows;
use crate::postgres::load::statements::{Failure, Session};

pub(super) fn refusals(
    options: &TargetOptions,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
    facts: &Facts,
    role: &str,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (table, pair) in wanted.tables.iter().zip(pairs) {
        let name = table.schema.name.clone();
        match pair {
            None if wanted.create_tables && wanted.mode == Mode::IntoEmpty => {}
            None => refusals.push(Refusal::TableMissing { table: name }),
            Some(pair) => {
                refusals.extend(modes(wanted.mode, table, pair));
                if let Some(fact) = facts.of(pair) {
                    refusals.extend(rights(wanted.mode, &name, fact, role));
                    refusals.extend(kinds(options, wanted.mode, &name, pair, fact));
                }
            }
        }
    }
    refusals
}

fn modes(mode: Mode, wanted: &WantedTable, pair: &TablePair) -> Option<Refusal> {
    let table = wanted.schema.name.clone();
    match mode {
        Mode::Merge if pair.key.is_empty() => Some(Refusal::NoKey { table }),
        Mode::Replace if wanted.is_partial => Some(Refusal::Partial { table }),
        _ => None,
    }
}

fn rights(mode: Mode, table: &str, fact: &Fact, role: &str) -> Vec<Refusal> {
    let (table, to) = (table.to_owned(), quoted(role));
    let right = |what: String, grant: String| Refusal::Right { role: role.to_owned(), what, grant };
    let schemas = fact.closed_schemas.iter().map(|schema| {
        let schema = quoted(schema);
        let what = format!("use the schema {schema}, which contains table {table} or a partition of it");
        right(what, format!("GRANT USAGE ON SCHEMA {schema} TO {to}"))
    });
    let mut refusals: Vec<Refusal> = schemas.collect();
    // For empty tables, indexes are rebuilt.
    let tablespaces = fact.closed_tablespaces.iter().filter(|_| mode == Mode::IntoEmpty);
    refusals.extend(tablespaces.map(|tablespace| {
        let tablespace = quoted(tablespace);
        let what = format!("create indexes of table {table} in the tablespace {tablespace}");
        right(what, format!("GRANT CREATE ON TABLESPACE {tablespace} TO {to}"))
    }));
    if !fact.is_owned {
        refusals.push(Refusal::NotOwner { table, owner: fact.owner.clone() });
    } else if fact.hides_rows {
        refusals.push(Refusal::RowSecurity { table, role: role.to_owned() });
    }
    refusals
}

fn kinds(options: &TargetOptions, mode: Mode, name: &str, pair: &TablePair, fact: &Fact) -> Vec<Refusal> {
    let table = || name.to_owned();
    let active = pair.live.rules.iter().filter(|rule| rule.state != Some(TriggerState::Disabled));
    let mut refusals: Vec<Refusal> =
        active.map(|rule| Refusal::Rule { table: table(), rule: rule.name.clone() }).collect();
    if let (Mode::Replace, Some(publication)) = (mode, &fact.publication) {
        refusals.push(Refusal::ReplicaIdentity { table: table(), publication: publication.clone() });
    }
    if let Some(foreign) = &fact.foreign {
        let problem =
            format!("its partition {foreign} is a foreign table, whose rows belong to another database");
        refusals.push(Refusal::Unsupported { table: table(), problem });
    }
    if let Some(out) = fact.partitions.iter().find(|one| options.read.exclude.contains(one)) {
        let problem = format!(
            "its partition {out} is excluded, and its rows could not be told apart from the archive's: take \
             it out of `exclude` for the restore, or restore the other tables"
        );
        refusals.push(Refusal::Unsupported { table: table(), problem });
    }
    refusals
}

/// Queries the rows themselves, because statistics can be out of date.
pub(super) async fn not_empty(
    session: &mut Session<'_>,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
) -> Result<Vec<Refusal>, Failure> {
    if wanted.mode != Mode::IntoEmpty {
        return Ok(Vec::new());
    }
    let mut each = Vec::new();
    for (table, pair) in wanted.tables.iter().zip(pairs) {
        let Some(pair) = pair else { continue };
        let live = &pair.live;
        let from = rows(&live.namespace, &live.table, live.partition_key.is_some());
        each.push((
            table.schema.name.clone(),
            format!("SELECT {} AS at WHERE EXISTS (SELECT FROM {from})", each.len()),
        ));
    }
    if each.is_empty() {
        return Ok(Vec::new());
    }
    let sql: Vec<&str> = each.iter().map(|(_, sql)| sql.as_str()).collect();
    let sql = format!("SELECT at::int8 FROM ({}) AS full_ones ORDER BY at", sql.join(" UNION ALL "));
    let found = match super::surroundings::attempt(session, "looking for rows", sql).await? {
        Some(found) => found,
        // A missing right to read the table is refused elsewhere.
        None => return Ok(Vec::new()),
    };
    let named = |(at,): (i64,)| each.get(usize::try_from(at).ok()?).map(|(table, _)| table.clone());
    Ok(found.into_iter().filter_map(named).map(|table| Refusal::NotEmpty { table }).collect())
}
