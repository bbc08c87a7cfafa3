//! A table of the archive beside the live table that its rows go into.

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

/// What every statement about a restored table is made of.
pub(super) struct TablePair {
    /// As the archive describes it.
    pub(super) archive: TableSchema,
    /// As the target has it now, with columns that exports hide.
    pub(super) live: TableSchema,
    /// The live table's.
    pub(super) oid: Oid,
    /// The live table's name, quoted and with its schema.
    pub(super) qualified: String,
    /// Places of the columns that are loaded, in the archive and in the live table, in the archive's order. Generated
    /// columns are not among them.
    pub(super) columns: Vec<(usize, usize)>,
    /// Columns of the live table that tell its rows apart: its primary key, or else a unique constraint that is not
    /// deferrable and whose columns take no NULL. Empty when there is neither: rows are then compared as a multiset.
    pub(super) key: Vec<String>,
    /// Our tables, quoted and with our schema: staged rows, removed rows, keys of added rows. They are numbered by the
    /// table's place in the restore, because a name of 63 bytes leaves no room for more beside an id. A trial's are
    /// temporary ones, so that trials do not wait for each other and a crash leaves nothing.
    pub(super) stage: String,
    pub(super) undo: String,
    pub(super) added: String,
}

/// Where our tables of a restore are.
pub(super) enum Place {
    /// In a schema that only this session has.
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

/// One for each wanted table, in that order; nothing for a table that the target does not have. What does not fit
/// together in a pair is not refused here.
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

/// The name of the table in the target that the archive's `table` goes into. SQLite knows no schemas; whoever knows better has
/// named one.
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
    /// Two tables that are in no database.
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

/// All of its columns are loaded: others could not be compared.
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

/// A column's name cannot end a definition.
fn is_deferrable(definition: &str) -> bool {
    definition.ends_with(" DEFERRABLE") || definition.ends_with(" DEFERRABLE INITIALLY DEFERRED")
}
