//! Foreign keys into and out of the restored tables, by anti-joins: SQLite enforces them for none of our statements.
//!
//! Rows outside of the set must not be left with a reference to a row that is removed. Rows that are restored must not
//! refer to rows outside of the set that are not there. References among restored tables are as the archive has them:
//! SQLite enforces foreign keys only for connections that ask for it, so that the source may have had rows without the
//! row that they refer to, and a restore brings them back.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::ForeignKey;

use super::compare::count;
use super::difference;
use super::live::{Live, LiveTable};
use super::markers::{Marked, run};
use super::stage_file::STAGE;
use crate::load::{Mode, Refusal};
use crate::names::quoted;

/// A reference between a restored table and one that is not restored.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// The restored table's place among the tables.
    pub(super) at: usize,
    /// The other table, in the target.
    pub(super) other: String,
    pub(super) direction: Direction,
    /// What becomes of the other table's rows: `cascade`, `set null` and so on.
    pub(super) on_delete: String,
    /// Whether the other table's rows can follow those that are removed.
    pub(super) has_action: bool,
    /// Columns of the referencing table, and what they refer to with the collation that compares them.
    pub(super) columns: Vec<(String, String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The other table refers to the restored one.
    In,
    /// The restored table refers to the other one.
    Out,
}

/// All of them. A reference to a table that is not there is none.
pub(super) fn all(live: &Live, tables: &[Marked]) -> Vec<Reference> {
    let place = |name: &str| tables.iter().position(|table| table.live.eq_ignore_ascii_case(name));
    let mut references = Vec::new();
    for table in &live.tables {
        for key in &table.schema.foreign_keys {
            let Some(to) = live.table(&key.references.table) else { continue };
            let ends = (place(&table.schema.table), place(&to.schema.table));
            let (at, other, direction) = match ends {
                (Some(at), None) => (at, to, Direction::Out),
                (None, Some(at)) => (at, table, Direction::In),
                _ => continue,
            };
            let columns = columns(key, to);
            let has_action = has_action(&key.on_delete, table);
            let (other, on_delete) = (other.schema.table.clone(), key.on_delete.clone());
            references.push(Reference { at, other, direction, on_delete, has_action, columns });
        }
    }
    references
}

/// A foreign key column by column; the parent's own unique index says how they are compared.
pub(super) fn columns(key: &ForeignKey, to: &LiveTable) -> Vec<(String, String, String)> {
    let referenced =
        if key.referenced_columns.is_empty() { &to.schema.primary_key } else { &key.referenced_columns };
    let is_it = |columns: &[(String, String)]| {
        columns.len() == referenced.len()
            && referenced.iter().all(|name| columns.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)))
    };
    let index = to.keys.iter().find(|key| is_it(&key.columns));
    let collation = |name: &String| {
        let mut found = index.iter().flat_map(|key| &key.columns);
        let found = found.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or_else(|| "BINARY".to_owned(), |(_, collation)| collation.clone())
    };
    let pairs = key.columns.iter().zip(referenced);
    pairs.map(|(from, to)| (from.clone(), to.clone(), collation(to))).collect()
}

/// Whether rows of the table can follow. Changed ones could not be told from others later without a key.
pub(super) fn has_action(on_delete: &str, table: &LiveTable) -> bool {
    let has_key = table.keys.iter().any(|key| key.is_complete);
    on_delete == "cascade" || (has_key && matches!(on_delete, "set null" | "set default"))
}

impl Reference {
    /// The foreign key in words.
    pub(super) fn named(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(from, _, _)| from.as_str()).collect();
        format!("foreign key {}", columns.join(", "))
    }

    /// `child` refers to something.
    fn is_set(&self, child: &str) -> String {
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

    /// Live `child` refers to the staged `parent`. `None` where the archive does not have what is referred to.
    fn matches_staged(&self, child: &str, parent: &str, table: &Marked) -> Option<String> {
        let parts = self.columns.iter().map(|(from, to, collation)| {
            let at = place(table, to)?;
            Some(format!("{parent}.c{at} = {child}.{} COLLATE {}", quoted(from), quoted(collation)))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(" AND "))
    }

    /// Rows of the other table, as `c`, that refer to a row that is there now and would not be.
    pub(super) fn orphans(&self, table: &Marked) -> Option<String> {
        let live = difference::live(table);
        let staged = difference::staged(self.at);
        let (set, now) = (self.is_set("c"), self.matches("c", "l"));
        let then = self.matches_staged("c", "s", table)?;
        Some(format!(
            "{set} AND EXISTS (SELECT 1 FROM {live} AS l WHERE {now})
             AND NOT EXISTS (SELECT 1 FROM {staged} AS s WHERE {then})"
        ))
    }

    /// Staged rows that are new and refer to no row of the other table.
    fn dangling(&self, table: &Marked) -> Option<String> {
        let places: Option<Vec<usize>> = self.columns.iter().map(|(from, _, _)| place(table, from)).collect();
        let places = places?;
        let set = places.iter().map(|at| format!("s.c{at} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
        let parts = self.columns.iter().zip(&places).map(|((_, to, collation), at)| {
            format!("p.{} = s.c{at} COLLATE {}", quoted(to), quoted(collation))
        });
        let found = parts.collect::<Vec<_>>().join(" AND ");
        let same =
            if table.key.is_empty() { "false".to_owned() } else { difference::same_key(table, "l", "s") };
        let unchanged = self
            .columns
            .iter()
            .zip(&places)
            .map(|((from, _, _), at)| format!("l.{} IS s.c{at}", quoted(from)));
        let unchanged = unchanged.collect::<Vec<_>>().join(" AND ");
        Some(format!(
            "SELECT count(*) FROM {} AS s WHERE {set}
             AND NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {found})
             AND NOT EXISTS (SELECT 1 FROM {} AS l WHERE {same} AND {unchanged})",
            difference::staged(self.at),
            quoted(&self.other),
            difference::live(table)
        ))
    }
}

fn place(table: &Marked, column: &str) -> Option<usize> {
    table.columns.iter().position(|name| name.eq_ignore_ascii_case(column))
}

/// Makes the staged tables fit for these questions: without an index, each row of the other table reads all of them.
pub(super) async fn index(
    connection: &mut SqliteConnection,
    references: &[Reference],
    tables: &[Marked],
) -> sqlx::Result<()> {
    for (number, reference) in references.iter().enumerate() {
        let table = &tables[reference.at];
        let parts = reference
            .columns
            .iter()
            .map(|(_, to, collation)| Some(format!("c{} COLLATE {}", place(table, to)?, quoted(collation))));
        let parts = parts.collect::<Option<Vec<_>>>();
        if let (Direction::In, Some(parts)) = (reference.direction, parts) {
            let sql =
                format!("CREATE INDEX {STAGE}.reference{number} ON t{} ({})", reference.at, parts.join(", "));
            run(connection, sql).await?;
        }
    }
    Ok(())
}

/// What stands against applying the stage now. Only replacing removes rows.
pub(super) async fn refusals(
    connection: &mut SqliteConnection,
    references: &[Reference],
    tables: &[Marked],
    mode: Mode,
    accept_cascade: bool,
) -> sqlx::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for reference in references {
        let table = &tables[reference.at];
        let (name, other, constraint) = (table.name.clone(), reference.other.clone(), reference.named());
        match reference.direction {
            Direction::In if mode != Mode::Replace || (accept_cascade && reference.has_action) => {}
            Direction::In => {
                let Some(orphans) = reference.orphans(table) else { continue };
                let sql = format!("SELECT count(*) FROM main.{} AS c WHERE {orphans}", quoted(&other));
                let rows = count(connection, sql).await?;
                let refusal = Refusal::Referenced { table: name, from: other, constraint, rows };
                refusals.extend((rows > 0).then_some(refusal));
            }
            Direction::Out => {
                let Some(sql) = reference.dangling(table) else { continue };
                let rows = count(connection, sql).await?;
                let refusal = Refusal::Dangling { table: name, to: other, constraint, rows };
                refusals.extend((rows > 0).then_some(refusal));
            }
        }
    }
    Ok(refusals)
}
