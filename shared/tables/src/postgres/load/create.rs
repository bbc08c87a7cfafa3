//! Creates tables that the target lacks, from their description in the archive.
//!
//! Objects that rows need are created first: schemas, types, sequences, tables with defaults and checks, partitions. Objects
//! that are faster to build than to maintain come after the rows: keys, indexes, foreign keys; then triggers, row security
//! and views. Owners, grants, functions and policies are not in an archive, or not in a form that can be run unreviewed:
//! `left_out` names everything that is left out.

mod left_out;
mod schemas;
mod sequences;
mod sqlite;
mod statements;
mod tables;
mod types;

use std::collections::{BTreeSet, HashSet};

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Engine, TableName, TableSchema};

use super::pair::{TablePair, live_name};
use super::problem;
use super::session::run;
use super::statements::{Failure, Session};
use crate::error::{Error, Result};
use crate::load::{Refusal, TargetOptions, Wanted};
use crate::postgres::naming::{archive_name, qualified};
pub(super) use left_out::left_out;

/// Objects created before the rows, as the archive describes them, in PostgreSQL's terms.
#[derive(Default)]
pub(super) struct Created {
    tables: Vec<TableSchema>,
    /// Statements about their types that must run after the rows are loaded.
    types: Vec<String>,
}

/// Creates the missing parts of the wanted tables, as far as rows need them.
///
/// # Errors
/// [`Error::Refused`] for a SQLite column that has no counterpart, or a server error.
pub(super) async fn missing(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
) -> Result<Created> {
    let source = &options.read.source;
    let there = tables::relations(connection, source).await?;
    let tables = absent(options, wanted, &there)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|refusals| Error::Refused { name: source.clone(), refusals })?;
    schemas::create(connection, source, schemas::needed(&tables, wanted, there)).await?;
    let types = types::create(connection, source, &tables).await?;
    sequences::create(connection, source, &tables, &wanted.record.sequences).await?;
    for table in in_order(&tables) {
        let what = format!("creating table {}", table.name);
        run(connection, source, what, statements::table(table, &tables, &wanted.record.sequences)).await?;
    }
    sequences::own(connection, source, &tables, &wanted.record.sequences).await?;
    Ok(Created { tables, types })
}

/// Creates the rest.
///
/// # Errors
/// [`Error::Constraint`] for a constraint that the rows violate, or a server error.
pub(super) async fn complete(
    session: &mut Session<'_>,
    created: &Created,
    wanted: &Wanted,
    pairs: &[TablePair],
) -> Result<(), Failure> {
    session.run_each("completing types", created.types.clone()).await?;
    let there = tables::relations(session.connection, session.source).await?;
    let steps = [tables::keys, tables::indexes, tables::parts, tables::foreign_keys, tables::marks];
    for step in steps {
        for table in &created.tables {
            for sql in step(table, &there) {
                build(session, table, pairs, sql).await?;
            }
        }
    }
    tables::triggers(session, &created.tables).await?;
    if wanted.create_tables {
        tables::views(session, wanted.views.as_ref(), there).await?;
    }
    Ok(())
}

async fn build(
    session: &mut Session<'_>,
    table: &TableSchema,
    pairs: &[TablePair],
    sql: String,
) -> Result<(), Failure> {
    let done = session.run(&format!("creating table {}", table.name), sql).await;
    let pair = pairs.iter().find(|pair| pair.archive.name == table.name);
    done.map(drop).map_err(|failure| problem::meant(session.source, pair, failure))
}

/// Wanted tables that are not in `there`, under their names in the target and with PostgreSQL's types.
fn absent<'a>(
    options: &'a TargetOptions,
    wanted: &'a Wanted,
    there: &'a HashSet<TableName>,
) -> impl Iterator<Item = Result<TableSchema, Vec<Refusal>>> + 'a {
    let missing = wanted.tables.iter().filter(|table| !there.contains(&live_name(options, &table.schema)));
    missing.map(|table| in_postgres(options, &table.schema))
}

/// Schemas needed for creating the missing tables, whether they exist or not.
///
/// # Errors
/// A server error.
pub(super) async fn needed_schemas(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
) -> Result<BTreeSet<String>> {
    let there = tables::relations(connection, &options.read.source).await?;
    // Tables without a counterpart are refused elsewhere.
    let tables: Vec<TableSchema> = absent(options, wanted, &there).filter_map(Result::ok).collect();
    Ok(schemas::needed(&tables, wanted, there))
}

/// Refusals for SQLite columns that have no counterpart, in tables that are to be created.
pub(super) fn refusals(
    options: &TargetOptions,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
) -> Vec<Refusal> {
    let missing = wanted.tables.iter().zip(pairs).filter(|(_, pair)| pair.is_none());
    missing.filter_map(|(table, _)| in_postgres(options, &table.schema).err()).flatten().collect()
}

fn in_postgres(options: &TargetOptions, table: &TableSchema) -> Result<TableSchema, Vec<Refusal>> {
    match table.engine {
        Engine::Postgres => Ok(table.clone()),
        Engine::Sqlite => sqlite::table(table, &live_name(options, table).namespace),
    }
}

/// Orders tables so that each comes after those that it inherits from.
fn in_order(tables: &[TableSchema]) -> Vec<&TableSchema> {
    let mut waiting: Vec<&TableSchema> = tables.iter().collect();
    let mut ordered = Vec::with_capacity(tables.len());
    while !waiting.is_empty() {
        let names: HashSet<TableName> = waiting.iter().map(|table| name_of(table)).collect();
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|table| !table.inherits.iter().any(|one| names.contains(one)));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

fn name_of(table: &TableSchema) -> TableName {
    TableName { namespace: table.namespace.clone(), table: table.table.clone() }
}
