//! The database's foreign keys, and how to find rows by them: SQLite does not enforce them for our statements.
//!
//! References among restored tables are as in the archive: SQLite enforces foreign keys only for connections that request it,
//! so the source may have had dangling rows, and a restore brings them back.

use strongroom_archive::schema::ForeignKey;

use super::live::{Live, LiveTable};
use super::markers::Marked;
use crate::load::{Mode, Refusal};
use crate::names::quoted;

/// A foreign key.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// The referencing table.
    pub(super) from: End,
    /// The referenced table.
    pub(super) to: End,
    /// The action on referencing rows: `cascade`, `set null` and so on.
    pub(super) on_delete: String,
    /// Whether the action can be applied to rows that reference deleted rows.
    pub(super) has_action: bool,
    /// Columns of the referencing table, the columns that they reference, and the collation for comparing them.
    pub(super) columns: Vec<(String, String, String)>,
}

/// A table at an end of a foreign key.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Its name in the target.
    pub(super) table: String,
    /// Its index among the restore's tables; `None` for an outside table.
    pub(super) at: Option<usize>,
}

/// Direction of a foreign key, as seen from the restore's table at an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Another table references this one.
    In(usize),
    /// This table references another one.
    Out(usize),
}

/// All foreign keys of the database. Keys that SQLite cannot check, and so never enforces, are left out: they reference a
/// missing table, or columns that are not unique.
pub(super) fn all(live: &Live, tables: &[Marked]) -> Vec<Reference> {
    let end = |table: &LiveTable| {
        let table = table.schema.table.clone();
        End { at: tables.iter().position(|one| one.live.eq_ignore_ascii_case(&table)), table }
    };
    let mut references = Vec::new();
    for table in &live.tables {
        for key in &table.schema.foreign_keys {
            let Some(to) = live.table(&key.references.table) else { continue };
            let Some(columns) = columns(key, to) else { continue };
            let has_action = has_action(&key.on_delete, table);
            let on_delete = key.on_delete.clone();
            references.push(Reference { from: end(table), to: end(to), on_delete, has_action, columns });
        }
    }
    references
}

/// A foreign key column by column; the parent's unique index determines how they are compared. `None` if there is no such
/// index.
pub(super) fn columns(key: &ForeignKey, to: &LiveTable) -> Option<Vec<(String, String, String)>> {
    let referenced =
        if key.referenced_columns.is_empty() { &to.schema.primary_key } else { &key.referenced_columns };
    let is_it = |columns: &[(String, String)]| {
        columns.len() == referenced.len()
            && referenced.iter().all(|name| columns.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)))
    };
    let index = to.keys.iter().find(|key| is_it(&key.columns))?;
    let collation = |name: &String| {
        let mut found = index.columns.iter();
        found.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, collation)| collation.clone())
    };
    if key.columns.len() != referenced.len() {
        return None;
    }
    let pairs = key.columns.iter().zip(referenced);
    pairs.map(|(from, to)| Some((from.clone(), to.clone(), collation(to)?))).collect()
}

/// Whether the action `on_delete` can be applied to rows of the table. Without a key, rows that it changed could not be
/// identified later.
pub(super) fn has_action(on_delete: &str, table: &LiveTable) -> bool {
    let has_key = table.keys.iter().any(|key| key.is_complete);
    on_delete == "cascade" || (has_key && matches!(on_delete, "set null" | "set default"))
}

impl Reference {
    /// `None` between two of the restore's tables, and between two other tables.
    pub(super) fn direction(&self) -> Option<Direction> {
        match (self.from.at, self.to.at) {
            (Some(at), None) => Some(Direction::Out(at)),
            (None, Some(at)) => Some(Direction::In(at)),
            _ => None,
        }
    }

    /// Whether both tables contain the archive's rows.
    pub(super) fn is_within(&self, tables: &[Marked]) -> bool {
        self.from.is_restored(tables) && self.to.is_restored(tables)
    }

    /// Its identity in records.
    pub(super) fn identity(&self) -> String {
        format!("{} {:?} {}", self.from.table, self.columns, self.to.table)
    }

    /// The refusal for `rows` dangling rows.
    pub(super) fn refusal(&self, tables: &[Marked], rows: u64) -> Refusal {
        let (from, to) = (self.from.name(tables), self.to.name(tables));
        let constraint = self.named();
        if self.from.is_restored(tables) && !self.to.is_restored(tables) {
            Refusal::Dangling { table: from, to, constraint, rows }
        } else {
            Refusal::Referenced { table: to, from, constraint, rows }
        }
    }

    /// A description of the foreign key.
    pub(super) fn named(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(from, _, _)| from.as_str()).collect();
        format!("foreign key {}", columns.join(", "))
    }

    /// `child` has a reference, that is, no NULL in it.
    pub(super) fn is_set(&self, child: &str) -> String {
        let parts = self.columns.iter().map(|(from, _, _)| format!("{child}.{} IS NOT NULL", quoted(from)));
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// `child` references `parent`, both live.
    pub(super) fn matches(&self, child: &str, parent: &str) -> String {
        let parts = self.columns.iter().map(|(from, to, collation)| {
            format!("{parent}.{} = {child}.{} COLLATE {}", quoted(to), quoted(from), quoted(collation))
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }
}

impl Direction {
    /// Only replacing deletes rows.
    pub(super) fn may_harm(self, mode: Mode) -> bool {
        mode == Mode::Replace || matches!(self, Self::Out(_))
    }
}

impl End {
    fn is_restored(&self, tables: &[Marked]) -> bool {
        self.at.is_some_and(|at| tables[at].is_restored)
    }

    /// Its archive name.
    fn name(&self, tables: &[Marked]) -> String {
        self.at.map_or(&self.table, |at| &tables[at].name).clone()
    }
}
