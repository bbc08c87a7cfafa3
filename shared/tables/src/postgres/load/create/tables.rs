//! Parts of tables that are created after their rows, and the views over them.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{
    Constraint, ConstraintKind, DatabaseSchema, Engine, ForeignKey, Index, TableName, TableSchema, Trigger,
    TriggerState, View,
};

use super::super::statements::{Failure, Session};
use super::{archive_name, left_out, qualified, statements};
use crate::error::{Error, Result};
use crate::names::quoted;

/// Every relation in the target that FROM can name, and sequences.
pub(super) async fn relations(connection: &mut PgConnection, source: &str) -> Result<HashSet<TableName>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'",
    )
    .persistent(false)
    .fetch_all(connection)
    .await
    .map_err(|error| Error::database(source, "listing existing objects", &error))?;
    Ok(rows.into_iter().map(|(namespace, table)| TableName { namespace, table }).collect())
}

/// Keys, and the checks that were added without validating existing rows.
pub(super) fn keys(table: &TableSchema, _: &HashSet<TableName>) -> Vec<String> {
    keys_of(&qualified(&table.namespace, &table.table), &table.constraints)
}

fn keys_of(name: &str, constraints: &[Constraint]) -> Vec<String> {
    let behind =
        constraints.iter().filter(|one| one.kind != ConstraintKind::Check || statements::is_late(one));
    let add = |one: &Constraint| {
        format!("ALTER TABLE {name} ADD CONSTRAINT {} {}", quoted(&one.name), one.definition)
    };
    behind.map(add).collect()
}

pub(super) fn indexes(table: &TableSchema, _: &HashSet<TableName>) -> Vec<String> {
    table.indexes.iter().map(on_all).collect()
}

/// Keys and indexes that only the partitions have. They are added after the table's own: otherwise the server would attach
/// the partition's index to the table's index.
pub(super) fn parts(table: &TableSchema, _: &HashSet<TableName>) -> Vec<String> {
    let mut all = Vec::new();
    for partition in &table.partitions {
        all.extend(keys_of(&qualified(&partition.namespace, &partition.table), &partition.constraints));
        all.extend(partition.indexes.iter().map(on_all));
    }
    all
}

/// The server prints the index of a partitioned table as `CREATE INDEX … ON ONLY`, because the partitions' indexes have names
/// of their own. Here they are created along with it.
fn on_all(index: &Index) -> String {
    let definition = &index.definition;
    for begin in ["CREATE INDEX ", "CREATE UNIQUE INDEX "] {
        for name in [quoted(&index.name), index.name.clone()] {
            let only = format!("{begin}{name} ON ONLY ");
            if let Some(rest) = definition.strip_prefix(&only) {
                return format!("{begin}{name} ON {rest}");
            }
        }
    }
    definition.clone()
}

/// Foreign keys whose referenced table exists.
pub(super) fn foreign_keys(table: &TableSchema, there: &HashSet<TableName>) -> Vec<String> {
    let add = |name: String, one: &ForeignKey| {
        format!("ALTER TABLE {name} ADD CONSTRAINT {} {}", quoted(&one.name), one.definition)
    };
    let mut all = Vec::new();
    let name = qualified(&table.namespace, &table.table);
    let exists = |one: &&ForeignKey| there.contains(&one.references);
    all.extend(table.foreign_keys.iter().filter(exists).map(|one| add(name.clone(), one)));
    for partition in &table.partitions {
        let name = qualified(&partition.namespace, &partition.table);
        all.extend(partition.foreign_keys.iter().filter(exists).map(|one| add(name.clone(), one)));
    }
    all
}

/// Enables row security, and sets the replica identity. The policies are not created here: until they are, only the owner sees
/// rows.
pub(super) fn marks(table: &TableSchema, _: &HashSet<TableName>) -> Vec<String> {
    let name = qualified(&table.namespace, &table.table);
    let mut all = Vec::new();
    if table.row_security.is_some_and(|security| security.enabled) {
        all.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
    }
    if table.row_security.is_some_and(|security| security.forced) {
        all.push(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
    }
    if let Some(identity) = &table.replica_identity {
        let identity = match identity.strip_prefix("index ") {
            Some(index) => format!("USING INDEX {}", quoted(index)),
            None => identity.to_uppercase(),
        };
        all.push(format!("ALTER TABLE {name} REPLICA IDENTITY {identity}"));
    }
    all
}

/// Triggers whose function exists, each in its state.
pub(super) async fn triggers(session: &mut Session<'_>, tables: &[TableSchema]) -> Result<(), Failure> {
    for table in tables.iter().filter(|table| table.engine == Engine::Postgres) {
        let name = qualified(&table.namespace, &table.table);
        let mut all: Vec<(String, &Trigger)> =
            table.triggers.iter().map(|trigger| (name.clone(), trigger)).collect();
        for partition in &table.partitions {
            let name = qualified(&partition.namespace, &partition.table);
            all.extend(partition.triggers.iter().map(|trigger| (name.clone(), trigger)));
        }
        create_triggers(session, all).await?;
    }
    Ok(())
}

async fn create_triggers(session: &mut Session<'_>, all: Vec<(String, &Trigger)>) -> Result<(), Failure> {
    for (name, trigger) in all {
        if left_out::has_function(session.connection, session.source, trigger).await? {
            let what = format!("creating trigger {} of {name}", trigger.name);
            session.run(&what, with_state(&name, trigger)).await?;
        }
    }
    Ok(())
}

fn with_state(table: &str, trigger: &Trigger) -> String {
    let state = match trigger.state {
        None | Some(TriggerState::Origin) => return trigger.definition.clone(),
        Some(TriggerState::Disabled) => "DISABLE",
        Some(TriggerState::Replica) => "ENABLE REPLICA",
        Some(TriggerState::Always) => "ENABLE ALWAYS",
    };
    format!("{};\nALTER TABLE {table} {state} TRIGGER {}", trigger.definition, quoted(&trigger.name))
}

/// PostgreSQL views that are missing although everything that they read exists, each after those that it reads.
pub(super) fn missing_views(schema: Option<&DatabaseSchema>, mut there: HashSet<TableName>) -> Vec<&View> {
    let of_postgres = schema.filter(|schema| schema.engine == Engine::Postgres);
    let mut missing = Vec::new();
    for view in of_postgres.iter().flat_map(|schema| &schema.views) {
        let name = TableName { namespace: view.namespace.clone(), table: view.name.clone() };
        if !there.contains(&name) && view.reads.iter().all(|read| there.contains(read)) {
            there.insert(name);
            missing.push(view);
        }
    }
    missing
}

/// Creates the views. A materialized view is filled now.
pub(super) async fn views(
    session: &mut Session<'_>,
    schema: Option<&DatabaseSchema>,
    there: HashSet<TableName>,
) -> Result<(), Failure> {
    for view in missing_views(schema, there) {
        let what = format!("creating view {}", archive_name(&view.namespace, &view.name));
        session.run_each(&what, create_view(view)).await?;
        let qualified = qualified(&view.namespace, &view.name);
        let triggers = view.triggers.iter().map(|trigger| (qualified.clone(), trigger)).collect();
        create_triggers(session, triggers).await?;
    }
    Ok(())
}

/// Statements for the view and its indexes.
fn create_view(view: &View) -> Vec<String> {
    let name = qualified(&view.namespace, &view.name);
    let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    let options = match view.options.is_empty() {
        true => String::new(),
        false => format!(" WITH ({})", view.options.join(", ")),
    };
    let query = view.definition.trim_end().trim_end_matches(';');
    let mut statements = vec![format!("CREATE {kind} {name}{options} AS {query}")];
    statements.extend(view.indexes.iter().map(|index| index.definition.clone()));
    statements
}
