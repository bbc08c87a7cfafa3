//! A table of the archive paired with the target's table that receives its rows.

use strongroom_archive::schema::{Column, Engine, TableSchema};

use super::affinity::Affinity;
use super::foreign_value::Form;
use super::key::Key;
use super::live::LiveTable;
use super::search::Inner;
use crate::load::Refusal;

/// Both tables, column by column.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The table's index in [`crate::load::Wanted::tables`].
    pub(super) at: usize,
    /// Archive name.
    pub(super) name: String,
    /// The table's name in the target.
    pub(super) live: String,
    /// Columns whose values are loaded, in the archive's order.
    pub(super) columns: Vec<PairColumn>,
    /// Stored columns of the target that the archive lacks.
    pub(super) extra: Vec<String>,
    /// The key, as indexes in `columns` with the collation of each.
    pub(super) key: Option<PairKey>,
    /// Its rows are rebuilt from others, and not loaded.
    pub(super) is_derived: bool,
    /// It holds the options of a full-text table, so it has rows even in an empty database. A restore into empty tables
    /// deletes them first.
    pub(super) is_never_empty: bool,
    /// A name for the rowid that no column has. `None`: there is no rowid, or no name is free.
    pub(super) rowid: Option<&'static str>,
}

/// A column that is loaded.
#[derive(Debug, Clone)]
pub(super) struct PairColumn {
    /// Its index in the archive.
    pub(super) archive: usize,
    /// Its name in the target.
    pub(super) name: String,
    pub(super) affinity: Affinity,
}

/// The key of a pair.
#[derive(Debug, Clone)]
pub(super) struct PairKey {
    /// Indexes in [`Pair::columns`], each with its collation.
    pub(super) columns: Vec<(usize, String)>,
    pub(super) is_rowid: bool,
}

impl Pair {
    /// The pair of two tables, and the reasons against it.
    pub(super) fn new(at: usize, archive: &TableSchema, live: &LiveTable) -> (Self, Vec<Refusal>) {
        let mut refusals = Vec::new();
        let mut columns = Vec::new();
        for (place, column) in archive.columns.iter().enumerate() {
            match named(&live.schema, &column.name) {
                Some(found) => {
                    refusals.extend(misfit(archive, column, found, live.is_strict));
                    if found.generated.is_none() {
                        let affinity = Affinity::of(&found.type_name, live.is_strict);
                        columns.push(PairColumn { archive: place, name: found.name.clone(), affinity });
                    }
                }
                None if column.generated.is_some() => {}
                None => refusals.push(Refusal::ColumnMissing {
                    table: archive.name.clone(),
                    column: column.name.clone(),
                }),
            }
        }
        let is_extra =
            |column: &&Column| column.generated.is_none() && named(archive, &column.name).is_none();
        let extra: Vec<&Column> = live.schema.columns.iter().filter(is_extra).collect();
        refusals.extend(extra.iter().filter_map(|column| needed(archive, column, live)));
        let pair = Self {
            at,
            name: archive.name.clone(),
            live: live.schema.table.clone(),
            key: key(&live.keys, &columns),
            columns,
            extra: extra.into_iter().map(|column| column.name.clone()).collect(),
            is_derived: live.inner == Inner::Index,
            is_never_empty: live.inner == Inner::Options,
            rowid: rowid(live),
        };
        (pair, refusals)
    }

    /// The names of the loaded columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

fn named<'a>(table: &'a TableSchema, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

fn misfit(archive: &TableSchema, from: &Column, to: &Column, is_strict: bool) -> Option<Refusal> {
    let (table, column) = (archive.name.clone(), from.name.clone());
    if from.generated.is_some() != to.generated.is_some() {
        let (archive, target) = (described(from), described(to));
        return Some(Refusal::ColumnType { table, column, archive, target });
    }
    if to.generated.is_some() {
        return None;
    }
    if archive.engine == Engine::Postgres {
        let affinity = Affinity::of(&to.type_name, is_strict);
        let problem = Form::of(&from.type_name, archive).misfit(affinity);
        if let Some(problem) = problem {
            return Some(Refusal::ColumnForm { table, column, problem });
        }
    } else if !from.type_name.eq_ignore_ascii_case(&to.type_name) {
        let (archive, target) = (described(from), described(to));
        return Some(Refusal::ColumnType { table, column, archive, target });
    }
    (from.nullable && !to.nullable).then_some(Refusal::ColumnNotNull { table, column })
}

fn described(column: &Column) -> String {
    let declared = if column.type_name.is_empty() { "of no type" } else { &column.type_name };
    if column.generated.is_some() { format!("{declared}, generated") } else { declared.to_owned() }
}

/// Refuses a column that must have a value but would get none.
fn needed(archive: &TableSchema, column: &Column, live: &LiveTable) -> Option<Refusal> {
    let is_rowid =
        live.keys.iter().any(|key| key.is_rowid && key.columns.iter().any(|(name, _)| *name == column.name));
    let gets_none = !column.nullable && column.default.is_none() && !is_rowid;
    gets_none.then(|| Refusal::ColumnNeeded { table: archive.name.clone(), column: column.name.clone() })
}

/// The first key whose columns are all loaded.
fn key(keys: &[Key], columns: &[PairColumn]) -> Option<PairKey> {
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    keys.iter().filter(|key| key.is_complete).find_map(|key| {
        let columns = key.columns.iter().map(|(name, collation)| Some((place(name)?, collation.clone())));
        Some(PairKey { columns: columns.collect::<Option<_>>()?, is_rowid: key.is_rowid })
    })
}

/// Names of a rowid, unless a column has the same name.
pub(super) const ROWIDS: [&str; 3] = ["_rowid_", "rowid", "oid"];

/// A name for the rowid that no column has.
pub(super) fn rowid(live: &LiveTable) -> Option<&'static str> {
    let is_free = |name: &&str| named(&live.schema, name).is_none();
    ROWIDS.into_iter().find(is_free).filter(|_| live.has_rowid)
}
