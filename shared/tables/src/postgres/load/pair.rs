//! A table of the archive paired with the live table that receives its rows.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{ConstraintKind, Engine, TableName, TableSchema};

use crate::RESTORE_SCHEMA;
use crate::error::Result;
use crate::load::{Purpose, TargetOptions, Wanted};
use crate::options::SnapshotOptions;
use crate::postgres::introspect::{self, Found};
use crate::postgres::naming::{archive_name, qualified};
use crate::postgres::relations::{self, Relation};
use crate::postgres::types::Oid;

/// The data for every statement about a restored table.
pub(super) struct TablePair {
    /// The archive's description.
    pub(super) archive: TableSchema,
    /// The current table in the target, including columns that exports hide.
    pub(super) live: TableSchema,
    /// Oid of the live table.
    pub(super) oid: Oid,
    /// The live table's name, quoted and with its schema.
    pub(super) qualified: String,
    /// Indexes of the loaded columns in the archive and in the live table, in the archive's order. Generated columns are not
    /// included.
    pub(super) columns: Vec<(usize, usize)>,
    /// Columns of the live table that identify its rows: its primary key, or else a unique constraint that is not deferrable
    /// and whose columns are NOT NULL. Empty if there is neither: rows are then compared as a multiset.
    pub(super) key: Vec<String>,
    /// Our own tables, quoted and with our schema: staged rows, deleted rows, keys of added rows. They are numbered by the
    /// table's index in the restore, because a name of 63 bytes leaves no room for more beside an id. A trial's tables are
    /// temporary, so that trials do not wait for each other and a crash leaves nothing behind.
    pub(super) stage: String,
    pub(super) undo: String,
    pub(super) added: String,
}

/// Location of our tables for a restore.
pub(super) enum Place {
    /// In this session's private schema.
    Temporary,
    /// In our schema, by the restore's id without its hyphens.
    Kept(String),
}

impl Place {
    pub(super) fn of(purpose: &Purpose) -> Self {
        match purpose {
            Purpose::Trial => Self::Temporary,
            Purpose::Restore(id) => Self::Kept(id.replace('-', "")),
        }
    }

    /// The quoted name of the table of this kind (`s`, `u`, `a`) and number.
    pub(super) fn table(&self, kind: &str, number: usize) -> String {
        match self {
            Self::Temporary => qualified("pg_temp", &format!("strongroom_{kind}_{number}")),
            Self::Kept(id) => qualified(RESTORE_SCHEMA, &format!("{kind}_{id}_{number}")),
        }
    }
}

/// One pair for each wanted table, in that order; `None` for a table that the target lacks. Mismatches within a pair are not
/// refused here.
pub(super) async fn pairs(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
    place: &Place,
) -> Result<Vec<Option<TablePair>>> {
    let names: Vec<TableName> = wanted.tables.iter().map(|table| live_name(options, &table.schema)).collect();
    let mut live = live(connection, &options.read.source, &names).await?;
    let pair = |(number, (table, name)): (usize, (&crate::load::WantedTable, &TableName))| {
        let (oid, live) = live.remove(name)?;
        Some(TablePair::new(table.schema.clone(), oid, live, place, number))
    };
    Ok(wanted.tables.iter().zip(&names).enumerate().map(pair).collect())
}

/// The name of the target table for the archive's `table`. A table of SQLite has no schema: unless the caller has set
/// `table.namespace`, it gets the first configured schema, or `public`.
pub(super) fn live_name(options: &TargetOptions, table: &TableSchema) -> TableName {
    let first = || options.read.schemas.first().cloned().unwrap_or_else(|| "public".to_owned());
    let namespace = match table.engine {
        Engine::Sqlite if table.namespace.is_empty() => first(),
        Engine::Postgres | Engine::Sqlite => table.namespace.clone(),
    };
    TableName { namespace, table: table.table.clone() }
}

/// Those of `names` that exist.
async fn live(
    connection: &mut PgConnection,
    source: &str,
    names: &[TableName],
) -> Result<HashMap<TableName, (Oid, TableSchema)>> {
    let everything = SnapshotOptions::new(source);
    let only = names.iter().map(|name| archive_name(&name.namespace, &name.table)).collect();
    let wanted = SnapshotOptions { only: Some(only), ..everything.clone() };
    let mut relations = relations::describe(connection, &wanted).await?;
    // `public."a.b"` and `a.b` have the same archive name.
    let names: HashSet<&TableName> = names.iter().collect();
    relations.retain(|relation| names.contains(&relation.table_name()));
    let probe = crate::postgres::probe(connection, source).await?;
    let Found { tables, .. } = introspect::tables(connection, &everything, &relations, &probe).await?;
    let named = |(relation, table): (&Relation, TableSchema)| (relation.table_name(), (relation.oid, table));
    Ok(relations.iter().zip(tables).map(named).collect())
}

impl TablePair {
    /// A pair of two tables that exist in no database.
    #[cfg(test)]
    pub(super) fn of_test(archive: TableSchema, live: TableSchema) -> Self {
        Self::new(archive, 0, live, &Place::Temporary, 0)
    }

    fn new(archive: TableSchema, oid: Oid, live: TableSchema, place: &Place, number: usize) -> Self {
        let columns = columns(&archive, &live);
        Self {
            oid,
            qualified: qualified(&live.namespace, &live.table),
            key: key(&live, &columns),
            columns,
            archive,
            live,
            stage: place.table("s", number),
            undo: place.table("u", number),
            added: place.table("a", number),
        }
    }
}

fn columns(archive: &TableSchema, live: &TableSchema) -> Vec<(usize, usize)> {
    let by_name: HashMap<&str, usize> =
        live.columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
    let places = archive.columns.iter().enumerate().filter_map(|(at, column)| {
        let live_at = *by_name.get(column.name.as_str())?;
        live.columns.get(live_at)?.generated.is_none().then_some((at, live_at))
    });
    places.collect()
}

/// A key whose columns are all loaded; other keys could not be compared.
fn key(live: &TableSchema, columns: &[(usize, usize)]) -> Vec<String> {
    let loaded: HashMap<&str, bool> = columns
        .iter()
        .filter_map(|(_, at)| live.columns.get(*at))
        .map(|column| (column.name.as_str(), column.nullable))
        .collect();
    let is_loaded =
        |key: &[String]| !key.is_empty() && key.iter().all(|column| loaded.contains_key(column.as_str()));
    if is_loaded(&live.primary_key) {
        return live.primary_key.clone();
    }
    let tells_apart = |key: &&strongroom_archive::schema::Constraint| {
        let takes_no_null = key.columns.iter().all(|column| loaded.get(column.as_str()) == Some(&false));
        key.kind == ConstraintKind::Unique
            && !key.columns.is_empty()
            && takes_no_null
            && !is_deferrable(&key.definition)
    };
    live.constraints.iter().find(tells_apart).map(|key| key.columns.clone()).unwrap_or_default()
}

/// The words at the end cannot be a column's name: in a definition, column names are inside parentheses.
fn is_deferrable(definition: &str) -> bool {
    definition.ends_with(" DEFERRABLE") || definition.ends_with(" DEFERRABLE INITIALLY DEFERRED")
}
