//! What refers to what, from the schema entries.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use super::Dangling;
use super::values::KeyColumn;
use crate::error::Result;
use crate::manifest::EntryKind;
use crate::reader::ArchiveReader;
use crate::rows::schema::{Column, Engine, ForeignKey, TableName, TableSchema};

/// Most references and most columns of referenced tables that are planned for: what an archive may have is more than
/// what memory is for.
const MOST_REFERENCES: usize = 10_000;
const MOST_COLUMNS: usize = 200_000;

/// The columns of a table on one side of references.
pub(super) struct Side {
    pub(super) columns: Vec<KeyColumn>,
}

/// One reference.
pub(super) struct Reference {
    /// The side that refers, and the side that is referred to.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) described: Dangling,
}

#[derive(Default)]
pub(super) struct Plan {
    pub(super) sides: Vec<Side>,
    pub(super) references: Vec<Reference>,
    /// The sides of each table, by its name in the archive.
    pub(super) by_table: HashMap<String, Vec<usize>>,
    pub(super) unchecked: u64,
}

/// A foreign key before the other table is known.
struct Found {
    /// The referring table's name in the archive.
    table: String,
    source: String,
    engine: Engine,
    columns: Vec<Column>,
    places: Vec<usize>,
    key: ForeignKey,
}

/// A table that may be referred to.
struct Target {
    name: String,
    columns: Vec<Column>,
    primary_key: Vec<String>,
}

impl Plan {
    pub(super) fn of<R: Read + Seek>(
        archive: &mut ArchiveReader<R>,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        let mut plan = Self::default();
        let found = plan.foreign_keys(archive, check)?;
        if found.is_empty() {
            return Ok(plan);
        }
        let targets = targets(archive, &found, check)?;
        let mut known: HashMap<(String, Vec<usize>), usize> = HashMap::new();
        for one in found {
            if plan.resolve(one, &targets, &mut known).is_none() {
                plan.unchecked += 1;
            }
        }
        Ok(plan)
    }

    fn foreign_keys<R: Read + Seek>(
        &mut self,
        archive: &mut ArchiveReader<R>,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for table in tables(archive) {
            check()?;
            let Ok(schema) = archive.read_schema(&table) else { continue };
            for key in &schema.foreign_keys {
                if found.len() == MOST_REFERENCES || !is_sound(&schema, key) {
                    self.unchecked += 1;
                    continue;
                }
                found.extend(Found::of(&schema, key));
            }
        }
        Ok(found)
    }

    /// `None` where the two sides cannot be compared.
    fn resolve(
        &mut self,
        found: Found,
        targets: &HashMap<(String, TableName), Target>,
        known: &mut HashMap<(String, Vec<usize>), usize>,
    ) -> Option<()> {
        let Found { table, source, engine, columns, places, key } = found;
        let references = match engine {
            Engine::Sqlite => lower(&key.references),
            Engine::Postgres => key.references.clone(),
        };
        let target = targets.get(&(source, references))?;
        let wanted = match key.referenced_columns.is_empty() {
            true => &target.primary_key,
            false => &key.referenced_columns,
        };
        let to = places_of(wanted, &target.columns, engine)?;
        let pairs = columns.iter().zip(&to);
        if to.len() != columns.len()
            || !pairs.clone().all(|(one, at)| fits(engine, one, &target.columns[*at]))
        {
            return None;
        }
        let from = self.side(&table, places, engine, known);
        let to = self.side(&target.name, to, engine, known);
        let described = Dangling {
            table,
            columns: key.columns,
            references: target.name.clone(),
            values: 0,
            is_enforced: engine == Engine::Postgres,
        };
        self.references.push(Reference { from, to, described });
        Some(())
    }

    fn side(
        &mut self,
        table: &str,
        places: Vec<usize>,
        engine: Engine,
        known: &mut HashMap<(String, Vec<usize>), usize>,
    ) -> usize {
        *known.entry((table.to_owned(), places.clone())).or_insert_with(|| {
            let columns = places.into_iter().map(|at| KeyColumn { at, engine }).collect();
            self.sides.push(Side { columns });
            self.by_table.entry(table.to_owned()).or_default().push(self.sides.len() - 1);
            self.sides.len() - 1
        })
    }
}

impl Found {
    fn of(schema: &TableSchema, key: &ForeignKey) -> Option<Self> {
        let places = places_of(&key.columns, &schema.columns, schema.engine)?;
        Some(Self {
            table: schema.name.clone(),
            source: schema.source.clone(),
            engine: schema.engine,
            columns: places.iter().map(|at| schema.columns[*at].clone()).collect(),
            places,
            key: key.clone(),
        })
    }
}

fn tables<R: Read + Seek>(archive: &ArchiveReader<R>) -> Vec<String> {
    archive.manifest().tables.iter().map(|(table, _)| table.to_owned()).collect()
}

/// The tables that `found` refers to, with all of their rows, by source and own name.
fn targets<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    found: &[Found],
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<HashMap<(String, TableName), Target>> {
    let wanted: HashSet<(&str, TableName)> =
        found.iter().map(|one| (one.source.as_str(), lower(&one.key.references))).collect();
    let mut targets = HashMap::new();
    let mut columns = 0;
    for table in tables(archive) {
        check()?;
        let Ok(schema) = archive.read_schema(&table) else { continue };
        let own = TableName { namespace: schema.namespace.clone(), table: schema.table.clone() };
        columns += schema.columns.len();
        if columns > MOST_COLUMNS
            || !wanted.contains(&(schema.source.as_str(), lower(&own)))
            || lacks_rows(archive, &schema)
        {
            continue;
        }
        let own = if schema.engine == Engine::Sqlite { lower(&own) } else { own };
        let target = Target { name: table, columns: schema.columns, primary_key: schema.primary_key };
        targets.insert((schema.source, own), target);
    }
    Ok(targets)
}

fn lower(name: &TableName) -> TableName {
    TableName { namespace: name.namespace.to_ascii_lowercase(), table: name.table.to_ascii_lowercase() }
}

/// Whether rows were left out on purpose: older ones, or those of a partition.
fn lacks_rows<R: Read + Seek>(archive: &ArchiveReader<R>, schema: &TableSchema) -> bool {
    let of_table = |entry: &&crate::EntryRecord| {
        entry.kind == EntryKind::Table && entry.table.as_deref() == Some(&*schema.name)
    };
    if archive.entries().iter().find(of_table).is_none_or(|entry| entry.since.is_some()) {
        return true;
    }
    let mut sources = archive.manifest().sources.iter().filter(|source| source.name == schema.source);
    let name = |namespace: &str, table: &str| match namespace {
        "public" => table.to_owned(),
        other => format!("{other}.{table}"),
    };
    sources.any(|source| {
        let left_out = |partition: &crate::rows::schema::Partition| {
            let partition = name(&partition.namespace, &partition.table);
            source.skipped.iter().any(|skipped| skipped.name == partition)
        };
        schema.partitions.iter().any(left_out)
    })
}

/// Whether the database itself minds every row.
fn is_sound(schema: &TableSchema, key: &ForeignKey) -> bool {
    let collates = || {
        let sql = schema.sql.as_deref().unwrap_or_default();
        sql.to_ascii_lowercase().contains("collate")
    };
    match schema.engine {
        Engine::Postgres => {
            !key.definition.contains("NOT VALID")
                && !key.definition.contains("NOT ENFORCED")
                && !key.definition.contains("PERIOD")
        }
        Engine::Sqlite => !collates(),
    }
}

fn places_of(names: &[String], columns: &[Column], engine: Engine) -> Option<Vec<usize>> {
    let is = |column: &Column, name: &String| match engine {
        Engine::Sqlite => column.name.eq_ignore_ascii_case(name),
        Engine::Postgres => column.name == *name,
    };
    let place = |name: &String| columns.iter().position(|column| is(column, name));
    names.iter().map(place).collect::<Option<Vec<usize>>>().filter(|places| !places.is_empty())
}

/// Whether values of both are equal to the database exactly where their texts are.
fn fits(engine: Engine, one: &Column, other: &Column) -> bool {
    if engine == Engine::Sqlite {
        return true;
    }
    let kinds = [one, other].map(|column| kind(&column.type_name));
    one.collation.is_none() && other.collation.is_none() && kinds[0].is_some() && kinds[0] == kinds[1]
}

fn kind(type_name: &str) -> Option<&str> {
    const SAME: [&str; 10] = [
        "uuid",
        "boolean",
        "date",
        "bytea",
        "oid",
        "name",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "inet",
    ];
    match type_name {
        "smallint" | "integer" | "bigint" => Some("integer"),
        "text" | "character varying" => Some("text"),
        other if other.starts_with("character varying(") => Some("text"),
        other if other.starts_with("character(") || other.starts_with("numeric(") => Some(other),
        other => SAME.contains(&other).then_some(other),
    }
}
