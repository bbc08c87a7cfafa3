//! Parts of the archive's tables that the created tables lack.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{DatabaseSchema, Engine, TableName, TableSchema, Trigger};

use super::super::pair::live_name;
use super::{archive_name, sqlite, tables};
use crate::error::{Error, Result};
use crate::load::{TargetOptions, Wanted};

/// A sentence for everything that creating the missing tables would leave out. Nothing is created.
pub(in crate::postgres::load) async fn left_out(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
) -> Result<Vec<String>> {
    let source = &options.read.source;
    let mut there = tables::relations(connection, source).await?;
    let is_missing = |table: &&TableSchema| !there.contains(&live_name(options, table));
    let missing: Vec<&TableSchema> =
        wanted.tables.iter().map(|table| &table.schema).filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    there.extend(missing.iter().map(|table| live_name(options, table)));
    let mut sentences =
        vec!["tables that are created belong to the restoring role and grant nothing to others".to_owned()];
    for table in missing {
        match table.engine {
            Engine::Postgres => {
                sentences.extend(of_table(table, &there));
                let of_partitions = table.partitions.iter().flat_map(|partition| &partition.triggers);
                let triggers = table.triggers.iter().chain(of_partitions);
                let of = format!("table {}", table.name);
                sentences.extend(of_triggers(connection, source, &of, triggers).await?);
            }
            Engine::Sqlite => sentences.extend(sqlite::left_out(table)),
        }
    }
    if let Some(schema) = &wanted.views {
        sentences.extend(views(connection, source, schema, there).await?);
    }
    Ok(sentences)
}

fn of_table(table: &TableSchema, there: &HashSet<TableName>) -> Vec<String> {
    let name = &table.name;
    let mut sentences = Vec::new();
    let policies = table.policies.iter().map(|policy| &policy.name);
    sentences.extend(policies.map(|policy| {
        format!("the policy {policy} of table {name} is not created: until it is, only the table's owner sees rows")
    }));
    let rules =
        table.rules.iter().map(|rule| format!("the rule {} of table {name} is not created", rule.name));
    sentences.extend(rules);
    let keys = table.foreign_keys.iter().filter(|key| !there.contains(&key.references));
    sentences.extend(keys.map(|key| {
        let other = archive_name(&key.references.namespace, &key.references.table);
        format!(
            "the foreign key {} of table {name} is not created, because there is no table {other}",
            key.name
        )
    }));
    sentences
}

async fn of_triggers<'a>(
    connection: &mut PgConnection,
    source: &str,
    of: &str,
    triggers: impl Iterator<Item = &'a Trigger>,
) -> Result<Vec<String>> {
    let mut sentences = Vec::new();
    for trigger in triggers {
        if !has_function(connection, source, trigger).await? {
            let trigger = &trigger.name;
            sentences.push(format!(
                "the trigger {trigger} of {of} is not created, because its function is in no archive: create the function \
                 first, or the trigger afterwards"
            ));
        }
    }
    Ok(sentences)
}

async fn views(
    connection: &mut PgConnection,
    source: &str,
    schema: &DatabaseSchema,
    mut there: HashSet<TableName>,
) -> Result<Vec<String>> {
    let mut sentences = Vec::new();
    for view in &schema.views {
        let name = archive_name(&view.namespace, &view.name);
        if schema.engine == Engine::Sqlite {
            sentences.push(format!("the view {name} is not created: it is written in SQLite's SQL"));
            continue;
        }
        if !view.reads.iter().all(|read| there.contains(read)) {
            sentences
                .push(format!("the view {name} is not created, because something that it reads is missing"));
            continue;
        }
        there.insert(TableName { namespace: view.namespace.clone(), table: view.name.clone() });
        let of = format!("view {name}");
        sentences.extend(of_triggers(connection, source, &of, view.triggers.iter()).await?);
        sentences
            .extend(view.rules.iter().map(|rule| format!("the rule {} of {of} is not created", rule.name)));
    }
    Ok(sentences)
}

/// Whether the target has the function that a trigger calls.
pub(super) async fn has_function(
    connection: &mut PgConnection,
    source: &str,
    trigger: &Trigger,
) -> Result<bool> {
    let Some(function) = function_of(&trigger.definition) else { return Ok(false) };
    sqlx::query_scalar("SELECT to_regproc($1) IS NOT NULL")
        .bind(function)
        .persistent(false)
        .fetch_one(connection)
        .await
        .map_err(|error| Error::database(source, "looking for the function of a trigger", &error))
}

/// The function name after the last EXECUTE outside quotes, up to its arguments.
fn function_of(definition: &str) -> Option<&str> {
    let mut quote = None;
    let mut found = None;
    for (at, character) in definition.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, ' ') if definition.get(at..).is_some_and(|rest| rest.starts_with(" EXECUTE ")) => {
                found = definition.get(at + " EXECUTE ".len()..);
            }
            (None, '(') if found.is_some() => {
                let end = found.map_or(0, |rest| definition.len() - rest.len());
                let call = definition.get(end..at)?;
                return call.split_once(' ').map(|(_, name)| name);
            }
            _ => {}
        }
    }
    None
}
