//! Checks row by row whether the foreign keys of a scratch database hold, because the database may have been configured not
//! to check them.

use std::collections::BTreeMap;

use strongroom_archive::schema::{ForeignKey, TableSchema};
use strongroom_store::Engine;

use super::Scratch;
use crate::error::Result;
use crate::kind::Kind;
use crate::names::quoted;
use crate::{postgres, sqlite};

/// A foreign key with dangling references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DanglingKey {
    /// The referencing table, by its archive name.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The referenced table, by its archive name.
    pub to: String,
    /// Number of dangling rows.
    pub rows: u64,
}

/// The result of checking foreign keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Number of foreign keys for which every row was checked.
    pub checked: u64,
    /// Number of foreign keys that were not checked: the other table does not exist, the key belongs to a partition, the
    /// database itself does not check all rows (`NOT VALID`, `NOT ENFORCED`), or its values cannot be compared with `=`
    /// alone.
    pub unchecked: u64,
    /// The foreign keys with dangling references.
    pub dangling: Vec<DanglingKey>,
}

impl Scratch {
    /// Checks every foreign key of `tables`, which were restored into this database.
    ///
    /// # Errors
    /// An error if the database is unreachable.
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
                // Types or collations that plain `=` cannot compare the way the key's own operator does.
                Err(_) => report.unchecked += 1,
            }
        }
        Ok(())
    }

    /// Uses SQLite's own check, which compares values as its keys do.
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
            // A key that references columns that are not unique.
            report.unchecked += table.foreign_keys.len() as u64;
            return Ok(());
        };
        let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
        lost.into_iter().for_each(|key| *rows.entry(key).or_default() += 1);
        // SQLite numbers foreign keys from last to first.
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

/// Whether every row must reference a row, compared by equality.
fn is_plain(definition: &str) -> bool {
    !["NOT VALID", "NOT ENFORCED", "PERIOD "].iter().any(|word| definition.contains(word))
}

/// SQL: the number of rows of `from` whose columns match no row of `to`. Rows of a table's partitions belong to the
/// table; rows of tables that inherit from it do not.
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
