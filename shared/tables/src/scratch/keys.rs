//! Whether the foreign keys of a scratch database lead to rows, looked at row by row: a database may have been told not to look.

use std::collections::BTreeMap;

use strongroom_archive::schema::{ForeignKey, TableSchema};
use strongroom_store::Engine;

use super::Scratch;
use crate::error::Result;
use crate::kind::Kind;
use crate::names::quoted;
use crate::{postgres, sqlite};

/// A foreign key that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DanglingKey {
    /// The referencing table, by its archive name.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The referenced table, by its archive name.
    pub to: String,
    /// Rows that refer to nothing.
    pub rows: u64,
}

/// What was found of foreign keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Foreign keys of which every row was looked at.
    pub checked: u64,
    /// Those that were not: the other table is not there, the key is a partition's own, the database itself lets rows be (`NOT VALID`,
    /// `NOT ENFORCED`), or its values cannot be compared by `=` alone.
    pub unchecked: u64,
    /// Those that lead nowhere.
    pub dangling: Vec<DanglingKey>,
}

impl Scratch {
    /// Looks at every foreign key of `tables`, which were restored into it.
    ///
    /// # Errors
    /// Those of a database that is away.
    pub async fn follow(&self, tables: &[TableSchema]) -> Result<KeyReport> {
        let mut report = KeyReport::default();
        for table in tables {
            let of_partitions = table.partitions.iter().map(|part| part.foreign_keys.len() as u64);
            report.unchecked += of_partitions.sum::<u64>();
            let found = match self.url().engine() {
                Engine::Sqlite(_) => self.follow_sqlite(table, tables, &mut report).await,
                Engine::Postgres(_) => self.follow_postgres(table, tables, &mut report).await,
            };
            found?;
        }
        Ok(report)
    }

    async fn follow_postgres(
        &self,
        table: &TableSchema,
        tables: &[TableSchema],
        report: &mut KeyReport,
    ) -> Result<()> {
        let Engine::Postgres(connect) = self.url().engine() else { return Ok(()) };
        for key in &table.foreign_keys {
            let to = tables.iter().find(|other| {
                other.table == key.references.table && other.namespace == key.references.namespace
            });
            let Some(to) = to.filter(|_| is_plain(&key.definition)) else {
                report.unchecked += 1;
                continue;
            };
            let sql = lost(table, to, key);
            match postgres::scratch::count(self.url(), connect, &sql).await {
                Ok(rows) => report.add(table, key, &to.name, rows),
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                // Types or collations that `=` does not compare by itself, as the key's own operator does.
                Err(_) => report.unchecked += 1,
            }
        }
        Ok(())
    }

    /// By SQLite itself, which compares as its keys do.
    async fn follow_sqlite(
        &self,
        table: &TableSchema,
        tables: &[TableSchema],
        report: &mut KeyReport,
    ) -> Result<()> {
        let Engine::Sqlite(path) = self.url().engine() else { return Ok(()) };
        if table.foreign_keys.is_empty() {
            return Ok(());
        }
        let Ok(lost) = sqlite::scratch::lost(self.url(), path, &table.table).await else {
            // A key whose columns are not unique in the other table.
            report.unchecked += table.foreign_keys.len() as u64;
            return Ok(());
        };
        let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
        lost.into_iter().for_each(|key| *rows.entry(key).or_default() += 1);
        // They are numbered from the last to the first.
        for (key, number) in table.foreign_keys.iter().rev().zip(0..) {
            let is_it = |other: &&TableSchema| other.table.eq_ignore_ascii_case(&key.references.table);
            match tables.iter().find(is_it) {
                Some(to) => report.add(table, key, &to.name, rows.get(&number).copied().unwrap_or(0)),
                None => report.unchecked += 1,
            }
        }
        Ok(())
    }
}

impl KeyReport {
    fn add(&mut self, table: &TableSchema, key: &ForeignKey, to: &str, rows: u64) {
        self.checked += 1;
        if rows > 0 {
            let (table, columns, to) = (table.name.clone(), key.columns.clone(), to.to_owned());
            self.dangling.push(DanglingKey { table, columns, to, rows });
        }
    }
}

/// Whether every row must have another one, and equality decides which.
fn is_plain(definition: &str) -> bool {
    !["NOT VALID", "NOT ENFORCED", "PERIOD "].iter().any(|word| definition.contains(word))
}

/// Counts the rows of `from` whose columns are in no row of `to`. Rows of a table's partitions are its own, those of tables that
/// inherit from it are not.
fn lost(from: &TableSchema, to: &TableSchema, key: &ForeignKey) -> String {
    let pairs: Vec<(String, String)> = key
        .columns
        .iter()
        .zip(&key.referenced_columns)
        .map(|(from, to)| (quoted(from), quoted(to)))
        .collect();
    let joined =
        |each: &dyn Fn(&(String, String)) -> String| pairs.iter().map(each).collect::<Vec<_>>().join(" AND ");
    let equal = joined(&|(from, to)| format!("p.{to} = c.{from}"));
    let set = joined(&|(from, _)| format!("c.{from} IS NOT NULL"));
    format!(
        "SELECT count(*) FROM {} AS c WHERE {set} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {equal})",
        own_rows(from),
        own_rows(to)
    )
}

fn own_rows(table: &TableSchema) -> String {
    let only = if table.partition_key.is_none() { "ONLY " } else { "" };
    format!("{only}{}.{}", quoted(&table.namespace), quoted(&table.table))
}
