//! Applies the actions of other tables' foreign keys when rows that they reference are deleted.
//!
//! Our statements are not checked against foreign keys, so their actions (ON DELETE CASCADE, SET NULL, SET DEFAULT) are also
//! carried out by statements, if the caller has consented. The changed rows are kept like those of restored tables.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::ForeignKey;

use super::compare::count;
use super::difference::{key, list, live as live_name};
use super::live::{Live, LiveTable};
use super::markers::{Marked, run};
use super::references::{self, Direction, Reference};
use super::undo::Undo;
use crate::error::{Error, Result};
use crate::names::quoted;

/// Tables outside the restore whose rows are changed by foreign key actions.
pub(super) struct Followers<'a> {
    live: &'a Live,
    source: &'a str,
    digits: &'a str,
    restored: &'a [Marked],
    /// Their entries come after those of the restored tables in the marker.
    pub(super) tables: Vec<Marked>,
}

/// Rows of one such table, and the action on them.
struct Step {
    table: String,
    action: String,
    columns: Vec<String>,
    /// The condition for a row, named `c`.
    condition: String,
}

impl<'a> Followers<'a> {
    pub(super) fn new(live: &'a Live, source: &'a str, digits: &'a str, restored: &'a [Marked]) -> Self {
        Self { live, source, digits, restored, tables: Vec::new() }
    }

    /// Carries out the actions before the rows are deleted, and the actions that those trigger in turn.
    pub(super) async fn follow(
        &mut self,
        connection: &mut SqliteConnection,
        references: &[Reference],
    ) -> Result<()> {
        let mut steps = Vec::new();
        for reference in references.iter().filter(|reference| reference.has_action) {
            let Some(Direction::In(at)) = reference.direction() else { continue };
            let Some(condition) = reference.orphans(at, &self.restored[at]) else { continue };
            steps.push(Step {
                table: reference.from.table.clone(),
                action: reference.on_delete.clone(),
                columns: reference.columns.iter().map(|(from, _, _)| from.clone()).collect(),
                condition,
            });
        }
        while let Some(step) = steps.pop() {
            steps.extend(self.step(connection, &step).await?);
        }
        Ok(())
    }

    /// Carries out one step and returns the steps that follow from it.
    async fn step(&mut self, connection: &mut SqliteConnection, step: &Step) -> Result<Vec<Step>> {
        let source = self.source;
        let failed =
            |error| Error::database(source, format!("following references of {}", step.table), &error);
        let rows = format!("SELECT count(*) FROM main.{} AS c WHERE {}", quoted(&step.table), step.condition);
        if count(connection, rows).await.map_err(failed)? == 0 {
            return Ok(Vec::new());
        }
        let at = self.place(connection, &step.table).await.map_err(failed)?;
        let Some(at) = at else { return Ok(Vec::new()) };
        let table = self.tables[at].clone();
        let undo = Undo::of(self.digits, self.restored.len() + at);
        let kept = if table.key.is_empty() { String::new() } else { unless_kept(&table, &undo) };
        let from = format!("FROM {} AS c WHERE {}{kept}", live_name(&table), step.condition);
        undo.keep(connection, &table, "c.", &from).await.map_err(failed)?;
        match step.action.as_str() {
            "cascade" => {
                let sql = format!("DELETE FROM {} AS c WHERE {}", live_name(&table), step.condition);
                run(connection, sql).await.map_err(failed)?;
                Ok(self.next(&table, &undo))
            }
            action => {
                self.unset(connection, step, action, &table, &undo).await.map_err(failed)?;
                Ok(Vec::new())
            }
        }
    }

    async fn unset(
        &self,
        connection: &mut SqliteConnection,
        step: &Step,
        action: &str,
        table: &Marked,
        undo: &Undo,
    ) -> sqlx::Result<()> {
        let keys = list("c.", table.key.iter().map(|(name, _)| name));
        let sql = format!(
            "INSERT INTO {} SELECT {keys} FROM {} AS c WHERE {}",
            undo.made,
            live_name(table),
            step.condition
        );
        run(connection, sql).await?;
        let schema = self.live.table(&table.live);
        let values = step.columns.iter().map(|column| {
            let mut columns = schema.iter().flat_map(|table| &table.schema.columns);
            let default = columns.find(|other| other.name == *column).and_then(|other| other.default.clone());
            let value = default.filter(|_| action == "set default").unwrap_or_else(|| "NULL".to_owned());
            format!("{} = ({value})", quoted(column))
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let sql = format!("UPDATE {} AS c SET {values} WHERE {}", live_name(table), step.condition);
        run(connection, sql).await.map(drop)
    }

    /// Steps for rows that reference the deleted ones, if the key has an action. Other dangling rows are detected at the end.
    fn next(&self, table: &Marked, undo: &Undo) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(parent) = self.live.table(&table.live) else { return steps };
        for child in self.live.tables.iter().filter(|child| !self.is_restored(&child.schema.table)) {
            let to_parent = |key: &&ForeignKey| key.references.table.eq_ignore_ascii_case(&table.live);
            let follows = |key: &&ForeignKey| references::has_action(&key.on_delete, child);
            for foreign in child.schema.foreign_keys.iter().filter(to_parent).filter(follows) {
                let Some(condition) = gone(foreign, parent, table, undo) else { continue };
                steps.push(Step {
                    table: child.schema.table.clone(),
                    action: foreign.on_delete.clone(),
                    columns: foreign.columns.clone(),
                    condition,
                });
            }
        }
        steps
    }

    fn is_restored(&self, name: &str) -> bool {
        self.restored.iter().any(|table| table.live.eq_ignore_ascii_case(name))
    }

    /// The table's index in `tables`.
    async fn place(&mut self, connection: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<usize>> {
        if let Some(at) = self.tables.iter().position(|table| table.live == name) {
            return Ok(Some(at));
        }
        let Some(live) = self.live.table(name) else { return Ok(None) };
        let table = Marked::of_live(live);
        Undo::of(self.digits, self.restored.len() + self.tables.len()).create(connection, &table).await?;
        self.tables.push(table);
        Ok(Some(self.tables.len() - 1))
    }
}

/// SQL: the previous version of row `c` is not in the undo table yet.
fn unless_kept(table: &Marked, undo: &Undo) -> String {
    let same = key(table).into_iter().map(|(at, collation)| {
        format!("c.{} = u.u{at} COLLATE {}", quoted(&table.columns[at]), quoted(collation))
    });
    let same = same.collect::<Vec<_>>().join(" AND ");
    format!(" AND NOT EXISTS (SELECT 1 FROM {} AS u WHERE {same})", undo.undo)
}

/// SQL: the child's row `c` references a row of the parent that is in the undo table and no longer exists. `None` if the undo
/// table lacks the referenced columns, because they are generated.
fn gone(foreign: &ForeignKey, parent: &LiveTable, table: &Marked, undo: &Undo) -> Option<String> {
    let columns = references::columns(foreign, parent)?;
    let kept = columns.iter().map(|(from, to, collation)| {
        let at = table.columns.iter().position(|name| name.eq_ignore_ascii_case(to))?;
        Some(format!("u.u{at} = c.{} COLLATE {}", quoted(from), quoted(collation)))
    });
    let kept = kept.collect::<Option<Vec<_>>>()?;
    let there = columns.iter().map(|(from, to, collation)| {
        format!("p.{} = c.{} COLLATE {}", quoted(to), quoted(from), quoted(collation))
    });
    Some(format!(
        "EXISTS (SELECT 1 FROM {} AS u WHERE {}) AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
        undo.undo,
        kept.join(" AND "),
        live_name(table),
        there.collect::<Vec<_>>().join(" AND ")
    ))
}
