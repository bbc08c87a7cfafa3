//! Schemas in which objects are created.

use std::collections::{BTreeSet, HashSet};

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{TableName, TableSchema};

use super::super::session::run;
use super::{name_of, sequences, tables, types};
use crate::error::{Error, Result};
use crate::load::Wanted;
use crate::names::quoted;

/// Schemas of `tables` (which are missing in the target), of their partitions and types, and of the sequences and views that
/// are created with them. `there` contains the target's relations.
pub(super) fn needed(
    tables: &[TableSchema],
    wanted: &Wanted,
    mut there: HashSet<TableName>,
) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for table in tables {
        needed.insert(table.namespace.clone());
        needed.extend(table.partitions.iter().map(|partition| partition.namespace.clone()));
        needed.extend(table.types.iter().filter_map(types::schema_of));
    }
    let sequences = sequences::missing(tables, &wanted.record.sequences, &there);
    needed.extend(sequences.into_iter().map(|sequence| sequence.namespace.clone()));
    there.extend(tables.iter().map(name_of));
    let views = tables::missing_views(wanted.views.as_ref(), there);
    needed.extend(views.into_iter().map(|view| view.namespace.clone()));
    needed
}

/// Creates the schemas that do not exist.
pub(super) async fn create(
    connection: &mut PgConnection,
    source: &str,
    needed: BTreeSet<String>,
) -> Result<()> {
    let known: Vec<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace")
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| Error::database(source, "listing the schemas", &error))?;
    for name in needed.into_iter().filter(|name| !known.contains(name)) {
        let sql = format!("CREATE SCHEMA {}", quoted(&name));
        run(connection, source, format!("creating schema {name}"), sql).await?;
    }
    Ok(())
}
