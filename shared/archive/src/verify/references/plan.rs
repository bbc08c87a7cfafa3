//! The references between tables, read from the schema entries.
//!
//! An archive may be hostile: only short names are kept from a schema entry, and only within a budget.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read, Seek};

use super::Dangling;
use crate::error::Result;
use crate::manifest::EntryKind;
use crate::reader::ArchiveReader;
use crate::rows::schema::{Column, Engine, ForeignKey, TableName, TableSchema};

/// Limits of a plan; references beyond them are not checked.
const MOST_REFERENCES: usize = 5_000;
const MOST_TARGETS: usize = 5_000;
const MOST_COLUMNS: usize = 32;
/// Keys of one table; each of them is hashed for each row.
const MOST_SIDES: usize = 32;
/// Longest name: PostgreSQL has 63 bytes, SQLite no limit.
const LONGEST_NAME: usize = 256;

/// One reference.
pub(super) struct Reference {
    /// The referring side, and the referenced side.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) described: Dangling,
}

#[derive(Default)]
pub(super) struct Plan {
    /// Columns of tables, by index, on one side of references.
    pub(super) sides: Vec<Vec<usize>>,
    pub(super) references: Vec<Reference>,
    /// The sides of each table, by its name in the archive.
    pub(super) by_table: HashMap<String, Vec<usize>>,
    pub(super) unchecked: u64,
    known: HashMap<(String, Vec<usize>), usize>,
}

/// A foreign key whose referenced table is not resolved yet.
struct Found {
    /// The referring table's name in the archive.
    table: String,
    source: String,
    engine: Engine,
    columns: Vec<String>,
    places: Vec<usize>,
    kinds: Vec<String>,
    references: TableName,
    referenced: Vec<String>,
}

/// The columns of a table that at least one key refers to.
struct Target {
    name: String,
    /// Referenced columns, with their indexes and kinds.
    columns: HashMap<String, (usize, String)>,
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
        for one in found {
            if plan.resolve(one, &targets).is_none() {
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
            let is_sound = schema.engine == Engine::Postgres || !has_collation(&schema);
            for key in &schema.foreign_keys {
                let one =
                    if is_sound && found.len() < MOST_REFERENCES { Found::of(&schema, key) } else { None };
                match one {
                    Some(one) => found.push(one),
                    None => self.unchecked += 1,
                }
            }
        }
        Ok(found)
    }

    /// `None` if the two sides cannot be compared.
    fn resolve(&mut self, found: Found, targets: &HashMap<(String, TableName), Target>) -> Option<()> {
        let Found { table, source, engine, columns, places, kinds, references, referenced } = found;
        let target = targets.get(&(source, references))?;
        let wanted = if referenced.is_empty() { &target.primary_key } else { &referenced };
        let of = |name: &String| target.columns.get(&cased(engine, name));
        let found: Vec<&(usize, String)> = wanted.iter().map(of).collect::<Option<_>>()?;
        let others = found.iter().map(|(_, kind)| kind);
        if found.len() != places.len() || !kinds.iter().eq(others) {
            return None;
        }
        let to = found.iter().map(|(at, _)| *at).collect();
        let (from, to) = (self.side(&table, places)?, self.side(&target.name, to)?);
        let references = target.name.clone();
        let is_enforced = engine == Engine::Postgres;
        let described = Dangling { table, columns, references, values: 0, is_enforced };
        self.references.push(Reference { from, to, described });
        Some(())
    }

    /// `None` if the table has too many sides.
    fn side(&mut self, table: &str, places: Vec<usize>) -> Option<usize> {
        let key = (table.to_owned(), places);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let of_table = self.by_table.entry(table.to_owned()).or_default();
        if of_table.len() == MOST_SIDES {
            return None;
        }
        of_table.push(self.sides.len());
        self.sides.push(key.1.clone());
        self.known.insert(key, self.sides.len() - 1);
        Some(self.sides.len() - 1)
    }
}

impl Found {
    /// `None` for a key whose values cannot be compared as texts, or that the database itself does not
    /// enforce for every row.
    fn of(schema: &TableSchema, key: &ForeignKey) -> Option<Self> {
        const LAX: [&str; 3] = ["NOT VALID", "NOT ENFORCED", "PERIOD"];
        let names = key.columns.iter().chain(&key.referenced_columns);
        let mut names =
            names.chain([&key.references.namespace, &key.references.table, &schema.name, &schema.source]);
        if key.columns.is_empty()
            || key.columns.len().max(key.referenced_columns.len()) > MOST_COLUMNS
            || names.any(|name| name.len() > LONGEST_NAME)
            || LAX.iter().any(|lax| key.definition.contains(lax))
        {
            return None;
        }
        let mut places = Vec::with_capacity(key.columns.len());
        let mut kinds = Vec::with_capacity(key.columns.len());
        for name in &key.columns {
            let is = |column: &Column| cased(schema.engine, &column.name) == cased(schema.engine, name);
            let at = schema.columns.iter().position(is)?;
            if places.contains(&at) {
                return None;
            }
            kinds.push(kind(schema.engine, &schema.columns[at])?);
            places.push(at);
        }
        Some(Self {
            table: schema.name.clone(),
            source: schema.source.clone(),
            engine: schema.engine,
            columns: key.columns.clone(),
            places,
            kinds,
            references: cased_name(schema.engine, &key.references),
            referenced: key.referenced_columns.clone(),
        })
    }
}

fn tables<R: Read + Seek>(archive: &ArchiveReader<R>) -> Vec<String> {
    archive.manifest().tables.iter().map(|(table, _)| table.to_owned()).collect()
}

/// The referenced tables of `found` that have all of their rows, by source and own name.
fn targets<R: Read + Seek>(
    archive: &mut ArchiveReader<R>,
    found: &[Found],
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<HashMap<(String, TableName), Target>> {
    let mut wanted: HashMap<(&str, &TableName), HashSet<String>> = HashMap::new();
    for one in found {
        let columns = wanted.entry((&one.source, &one.references)).or_default();
        columns.extend(one.referenced.iter().map(|name| cased(one.engine, name)));
    }
    let left_out = LeftOut::of(archive);
    let mut targets = HashMap::new();
    for table in tables(archive) {
        check()?;
        let Ok(schema) = archive.read_schema(&table) else { continue };
        let own = TableName { namespace: schema.namespace.clone(), table: schema.table.clone() };
        let own = cased_name(schema.engine, &own);
        let Some(columns) = wanted.get(&(schema.source.as_str(), &own)) else { continue };
        let lacks = left_out.concerns(&schema) || (schema.engine == Engine::Sqlite && has_collation(&schema));
        if targets.len() < MOST_TARGETS && !lacks {
            let target = Target::of(table, &schema, columns);
            targets.insert((schema.source, own), target);
        }
    }
    Ok(targets)
}

impl Target {
    fn of(name: String, schema: &TableSchema, wanted: &HashSet<String>) -> Self {
        let mut primary_key = schema.primary_key.clone();
        primary_key.retain(|name| name.len() <= LONGEST_NAME);
        primary_key.truncate(MOST_COLUMNS);
        let mut columns = HashMap::new();
        for (at, column) in schema.columns.iter().enumerate() {
            let own = cased(schema.engine, &column.name);
            let is_wanted = wanted.contains(&own) || primary_key.contains(&column.name);
            if let (true, Some(kind)) = (is_wanted, kind(schema.engine, column)) {
                columns.insert(own, (at, kind));
            }
        }
        Self { name, columns, primary_key }
    }
}

/// Tables whose rows were partly left out on purpose, as hashes: older rows, or those of a partition.
struct LeftOut {
    hasher: RandomState,
    since: HashSet<u64>,
    skipped: HashSet<u64>,
}

impl LeftOut {
    fn of<R: Read + Seek>(archive: &ArchiveReader<R>) -> Self {
        let hasher = RandomState::new();
        let entries = archive.entries().iter();
        let limited = entries.filter(|entry| entry.kind == EntryKind::Table && entry.since.is_some());
        let since =
            limited.map(|entry| hasher.hash_one(entry.table.as_deref().unwrap_or_default())).collect();
        let mut skipped = HashSet::new();
        for source in &archive.manifest().sources {
            let of_source = source.skipped.iter().map(|one| hasher.hash_one((&*source.name, &*one.name)));
            skipped.extend(of_source);
        }
        Self { hasher, since, skipped }
    }

    fn concerns(&self, schema: &TableSchema) -> bool {
        let name = |namespace: &str, table: &str| match namespace {
            "public" => table.to_owned(),
            other => format!("{other}.{table}"),
        };
        let mut names = schema.partitions.iter().map(|one| name(&one.namespace, &one.table));
        self.since.contains(&self.hasher.hash_one(&*schema.name))
            || names.any(|name| self.skipped.contains(&self.hasher.hash_one((&*schema.source, &*name))))
    }
}

/// SQLite also applies a collation of the referenced table.
fn has_collation(schema: &TableSchema) -> bool {
    schema.sql.as_deref().unwrap_or_default().to_ascii_lowercase().contains("collate")
}

/// SQLite's names are case-insensitive.
fn cased(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Sqlite => name.to_ascii_lowercase(),
        Engine::Postgres => name.to_owned(),
    }
}

fn cased_name(engine: Engine, name: &TableName) -> TableName {
    TableName { namespace: name.namespace.clone(), table: cased(engine, &name.table) }
}

/// Columns of one kind are equal in the database exactly if their texts are.
fn kind(engine: Engine, column: &Column) -> Option<String> {
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
    if engine == Engine::Sqlite {
        return Some(String::new());
    }
    let of_length = |other: &str| {
        (other.starts_with("character(") || other.starts_with("numeric(")) && other.len() <= LONGEST_NAME
    };
    match column.type_name.as_str() {
        _ if column.collation.is_some() => None,
        "smallint" | "integer" | "bigint" => Some("integer".to_owned()),
        "text" | "character varying" => Some("text".to_owned()),
        other if other.starts_with("character varying(") => Some("text".to_owned()),
        other => (of_length(other) || SAME.contains(&other)).then(|| other.to_owned()),
    }
}
