//! References that would dangle after applying a stage, determined from the stage before a row changes.
//!
//! Rows outside the restored tables must not be left with a reference to a deleted row. Restored rows must not reference
//! missing rows in outside tables.

use sqlx::sqlite::SqliteConnection;

use super::compare::count;
use super::difference::{self, list};
use super::markers::{Marked, run};
use super::references::{Direction, Reference};
use super::stage_file::STAGE;
use crate::load::{Mode, Refusal};
use crate::names::quoted;

impl Reference {
    /// SQL: the live row `child` references the staged row `parent`. `None` if the archive lacks the referenced columns.
    fn matches_staged(&self, child: &str, parent: &str, table: &Marked) -> Option<String> {
        let parts = self.columns.iter().map(|(from, to, collation)| {
            let at = place(table, to)?;
            Some(format!("{parent}.c{at} = {child}.{} COLLATE {}", quoted(from), quoted(collation)))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(" AND "))
    }

    /// SQL: rows `c` of the other table whose referenced row, in the table at `at`, exists now and would be deleted.
    pub(super) fn orphans(&self, at: usize, table: &Marked) -> Option<String> {
        let live = difference::live(table);
        let staged = difference::staged(at);
        let (set, now) = (self.is_set("c"), self.matches("c", "l"));
        let then = self.matches_staged("c", "s", table)?;
        Some(format!(
            "{set} AND EXISTS (SELECT 1 FROM {live} AS l WHERE {now})
             AND NOT EXISTS (SELECT 1 FROM {staged} AS s WHERE {then})"
        ))
    }

    /// SQL: the number of staged rows of the table at `at` that are new and reference no row of the other table. A row
    /// is not new if its live counterpart has the same reference, or if a merge leaves it as it is. Without a key, any
    /// row with the same reference counts as its counterpart.
    fn dangling(&self, at: usize, table: &Marked, mode: Mode) -> Option<String> {
        let places: Option<Vec<usize>> = self.columns.iter().map(|(from, _, _)| place(table, from)).collect();
        let places = places?;
        let set = places.iter().map(|at| format!("s.c{at} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
        let parts = self.columns.iter().zip(&places).map(|((_, to, collation), at)| {
            format!("p.{} = s.c{at} COLLATE {}", quoted(to), quoted(collation))
        });
        let found = parts.collect::<Vec<_>>().join(" AND ");
        let (staged, live) = (difference::staged(at), difference::live(table));
        let is_new = if table.key.is_empty() {
            let referring = list("l.", self.columns.iter().map(|(from, _, _)| from));
            let values = places.iter().map(|at| format!("s.c{at}")).collect::<Vec<_>>().join(", ");
            // EXISTS would read the whole table for each row.
            format!("({values}) NOT IN (SELECT {referring} FROM {live} AS l WHERE {})", self.is_set("l"))
        } else {
            let same = std::iter::once(difference::same_key(table, "l", "s"));
            let unchanged = self.columns.iter().zip(&places).filter(|_| mode != Mode::Merge);
            let unchanged = unchanged.map(|((from, _, _), at)| format!("l.{} IS s.c{at}", quoted(from)));
            let old = same.chain(unchanged).collect::<Vec<_>>().join(" AND ");
            format!("NOT EXISTS (SELECT 1 FROM {live} AS l WHERE {old})")
        };
        let to = quoted(&self.to.table);
        Some(format!(
            "SELECT count(*) FROM {staged} AS s
             WHERE {set} AND NOT EXISTS (SELECT 1 FROM main.{to} AS p WHERE {found}) AND {is_new}"
        ))
    }

    /// SQL: the number of rows that would dangle if the stage were applied. `None` if this can only be determined
    /// afterwards, because the archive lacks the columns.
    fn beforehand(&self, direction: Direction, tables: &[Marked], mode: Mode) -> Option<String> {
        match direction {
            Direction::Out(at) => self.dangling(at, &tables[at], mode),
            Direction::In(at) => {
                let orphans = self.orphans(at, &tables[at])?;
                Some(format!("SELECT count(*) FROM main.{} AS c WHERE {orphans}", quoted(&self.from.table)))
            }
        }
    }

    /// Whether a violation of this foreign key can only be found after applying the stage.
    pub(super) fn shows_afterwards(&self, tables: &[Marked], mode: Mode) -> bool {
        self.direction()
            .filter(|one| one.may_harm(mode))
            .is_some_and(|direction| self.beforehand(direction, tables, mode).is_none())
    }
}

fn place(table: &Marked, column: &str) -> Option<usize> {
    table.columns.iter().position(|name| name.eq_ignore_ascii_case(column))
}

/// Indexes the staged tables for these queries: without an index, each row of the other table would read all staged rows.
pub(super) async fn index(
    connection: &mut SqliteConnection,
    references: &[Reference],
    tables: &[Marked],
) -> sqlx::Result<()> {
    for (number, reference) in references.iter().enumerate() {
        let Some(Direction::In(at)) = reference.direction() else { continue };
        let parts = reference.columns.iter().map(|(_, to, collation)| {
            Some(format!("c{} COLLATE {}", place(&tables[at], to)?, quoted(collation)))
        });
        let Some(parts) = parts.collect::<Option<Vec<_>>>() else { continue };
        let sql = format!("CREATE INDEX {STAGE}.reference{number} ON t{at} ({})", parts.join(", "));
        run(connection, sql).await?;
    }
    Ok(())
}

/// The current reasons against applying the stage.
pub(super) async fn refusals(
    connection: &mut SqliteConnection,
    references: &[Reference],
    tables: &[Marked],
    mode: Mode,
    accept_cascade: bool,
) -> sqlx::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for reference in references {
        let Some(direction) = reference.direction().filter(|one| one.may_harm(mode)) else { continue };
        let follows = accept_cascade && reference.has_action && matches!(direction, Direction::In(_));
        let sql = reference.beforehand(direction, tables, mode).filter(|_| !follows);
        let Some(sql) = sql else { continue };
        let rows = count(connection, sql).await?;
        refusals.extend((rows > 0).then(|| reference.refusal(tables, rows)));
    }
    Ok(refusals)
}
