//! The foreign keys of the database, and how rows are found by them: SQLite enforces them for none of our statements.
//!
//! References among restored tables are as the archive has them: SQLite enforces foreign keys only for connections that ask
//! for it, so that the source may have had rows without the row that they refer to, and a restore brings them back.

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
    /// The referenced one.
    pub(super) to: End,
    /// What becomes of referencing rows: `cascade`, `set null` and so on.
    pub(super) on_delete: String,
    /// Whether referencing rows can follow those that are removed.
    pub(super) has_action: bool,
    /// Columns of the referencing table, and what they refer to with the collation that compares them.
    pub(super) columns: Vec<(String, String, String)>,
}

/// A table at an end of a foreign key.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Its name in the target.
    pub(super) table: String,
    /// Its place among the tables of the restore; `None` outside of them.
    pub(super) at: Option<usize>,
}

/// Where a foreign key leads, as seen from the table of the restore at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Another table refers to this one.
    In(usize),
    /// This one refers to another table.
    Out(usize),
}

/// All of the database. What SQLite cannot check, it never enforces: it refers to a table that is not there, or to columns
/// that are not unique.
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

/// A foreign key column by column; the parent's own unique index says how they are compared. `None` without one.
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

/// Whether rows of the table can follow. Changed ones could not be told from others later without a key.
pub(super) fn has_action(on_delete: &str, table: &LiveTable) -> bool {
    let has_key = table.keys.iter().any(|key| key.is_complete);
    on_delete == "cascade" || (has_key && matches!(on_delete, "set null" | "set default"))
}

impl Reference {
    /// `None` between two tables of the restore, and between two others.
    pub(super) fn direction(&self) -> Option<Direction> {
        match (self.from.at, self.to.at) {
            (Some(at), None) => Some(Direction::Out(at)),
            (None, Some(at)) => Some(Direction::In(at)),
            _ => None,
        }
    }

    /// Between two tables whose rows are the archive's.
    pub(super) fn is_within(&self, tables: &[Marked]) -> bool {
        self.from.is_restored(tables) && self.to.is_restored(tables)
    }

    /// What it is called in notes.
    pub(super) fn identity(&self) -> String {
        format!("{} {:?} {}", self.from.table, self.columns, self.to.table)
    }

    /// What `rows` without the row that they refer to stand for.
    pub(super) fn refusal(&self, tables: &[Marked], rows: u64) -> Refusal {
        let (from, to) = (self.from.name(tables), self.to.name(tables));
        let constraint = self.named();
        if self.from.is_restored(tables) && !self.to.is_restored(tables) {
            Refusal::Dangling { table: from, to, constraint, rows }
        } else {
            Refusal::Referenced { table: to, from, constraint, rows }
        }
    }

    /// The foreign key in words.
    pub(super) fn named(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(from, _, _)| from.as_str()).collect();
        format!("foreign key {}", columns.join(", "))
    }

    /// `child` refers to something.
    pub(super) fn is_set(&self, child: &str) -> String {
        let parts = self.columns.iter().map(|(from, _, _)| format!("{child}.{} IS NOT NULL", quoted(from)));
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// `child` refers to `parent`, both live.
    pub(super) fn matches(&self, child: &str, parent: &str) -> String {
        let parts = self.columns.iter().map(|(from, to, collation)| {
            format!("{parent}.{} = {child}.{} COLLATE {}", quoted(to), quoted(from), quoted(collation))
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }
}

impl Direction {
    /// Only replacing removes rows.
    pub(super) fn may_harm(self, mode: Mode) -> bool {
        mode == Mode::Replace || matches!(self, Self::Out(_))
    }
}

impl End {
    fn is_restored(&self, tables: &[Marked]) -> bool {
        self.at.is_some_and(|at| tables[at].is_restored)
    }

    /// As an archive calls it.
    fn name(&self, tables: &[Marked]) -> String {
        self.at.map_or(&self.table, |at| &tables[at].name).clone()
    }
}
