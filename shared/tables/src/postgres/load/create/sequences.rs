//! Sequences named by defaults. An identity column brings its own.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::{Sequence, SequenceOwner, SequenceRange};
use strongroom_archive::schema::{TableName, TableSchema};

use super::super::session::run;
use super::{name_of, qualified, tables};
use crate::error::Result;
use crate::names::quoted;

/// Creates the sequences of `tables`, and those that belong to no table.
pub(super) async fn create(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TableSchema],
    recorded: &[Sequence],
) -> Result<()> {
    let there = tables::relations(connection, source).await?;
    for sequence in missing(tables, recorded, &there) {
        let name = qualified(&sequence.namespace, &sequence.name);
        let of_type =
            sequence.range.as_ref().map(|range| format!("AS {} ", range.type_name)).unwrap_or_default();
        let sql = format!("CREATE SEQUENCE {name} {of_type}{}", options(sequence.range.as_ref()));
        run(connection, source, format!("creating sequence {}", sequence.name), sql).await?;
    }
    Ok(())
}

/// Sequences that are not in `there`.
pub(super) fn missing<'a>(
    tables: &[TableSchema],
    recorded: &'a [Sequence],
    there: &HashSet<TableName>,
) -> Vec<&'a Sequence> {
    let is_there = |one: &Sequence| {
        there.contains(&TableName { namespace: one.namespace.clone(), table: one.name.clone() })
    };
    plain(tables, recorded).into_iter().filter(|one| !is_there(one)).collect()
}

/// Makes each sequence owned by its column, so that both are dropped together.
pub(super) async fn own(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TableSchema],
    recorded: &[Sequence],
) -> Result<()> {
    for sequence in plain(tables, recorded) {
        let Some(owner) = &sequence.owner else { continue };
        let name = qualified(&sequence.namespace, &sequence.name);
        let column = format!("{}.{}", qualified(&owner.namespace, &owner.table), quoted(&owner.column));
        let sql = format!("ALTER SEQUENCE {name} OWNED BY {column}");
        run(connection, source, format!("assigning sequence {} to its column", sequence.name), sql).await?;
    }
    Ok(())
}

fn plain<'a>(tables: &[TableSchema], recorded: &'a [Sequence]) -> Vec<&'a Sequence> {
    let mut identities = HashSet::new();
    let mut names = HashSet::new();
    for table in tables {
        names.insert(name_of(table));
        let of_table = table.columns.iter().filter(|column| column.identity.is_some());
        identities.extend(of_table.map(|column| (name_of(table), column.name.as_str())));
    }
    let is_plain = |owner: &SequenceOwner| {
        let table = TableName { namespace: owner.namespace.clone(), table: owner.table.clone() };
        names.contains(&table) && !identities.contains(&(table, owner.column.as_str()))
    };
    let wanted = recorded.iter().filter(|one| !one.namespace.is_empty());
    wanted.filter(|one| one.owner.as_ref().is_none_or(is_plain)).collect()
}

/// The sequence's options, as accepted by CREATE SEQUENCE and identity columns.
pub(super) fn options(range: Option<&SequenceRange>) -> String {
    let Some(range) = range else { return String::new() };
    let SequenceRange { start, increment, min, max, cache, .. } = range;
    let cycle = if range.cycle { " CYCLE" } else { "" };
    format!("START WITH {start} INCREMENT BY {increment} MINVALUE {min} MAXVALUE {max} CACHE {cache}{cycle}")
}
