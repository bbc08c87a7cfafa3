//! The options of a snapshot and the information about it. Both engines and the type above them need these, so this module
//! sits below all three.

use std::collections::HashSet;

use strongroom_archive::schema::TableSchema;

use crate::error::{Error, Result};
use crate::migrations::MigrationsTable;

/// What to read from a database.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// The source's name, used in every schema entry and error.
    pub source: String,
    /// Tables and partitions to leave out, by archive name. `open_snapshot` ignores names that do not exist, because a
    /// table can be dropped; `list_tables` refuses them if `exclude_must_exist` is set.
    pub exclude: Vec<String>,
    /// Refuses excluded names that do not exist, because they may be mistyped.
    pub exclude_must_exist: bool,
    /// Only these tables, by archive name. A name that does not exist is an error.
    pub only: Option<Vec<String>>,
    /// SQLite: read a temporary copy (`VACUUM INTO`), so that no writer waits and the WAL does not grow. The copy takes as
    /// much space in the system's temporary directory as the database.
    pub temp_copy: bool,
    /// The table in which the application records its migrations. `list_tables` refuses one that is not read.
    pub migrations: Option<MigrationsTable>,
    /// PostgreSQL: only these schemas; if empty, every schema except the system's.
    pub schemas: Vec<String>,
}

impl SnapshotOptions {
    /// Everything in the database.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// Whether every table is read that is not excluded.
    pub(crate) fn is_complete(&self) -> bool {
        self.only.is_none()
    }

    /// Refuses names in `exclude` that are not among `known`.
    pub(crate) fn check_exclude(&self, known: &HashSet<String>) -> Result<()> {
        if !self.exclude_must_exist {
            return Ok(());
        }
        match self.exclude.iter().find(|name| !known.contains(*name)) {
            Some(name) => {
                Err(Error::missing(&self.source, format!("table {name:?}, which is to be excluded")))
            }
            None => Ok(()),
        }
    }

    /// Whether the table called `name` is selected.
    pub(crate) fn selects(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|other| other == name);
        !named(&self.exclude) && self.only.as_deref().is_none_or(named)
    }

    /// Refuses names in `only` that are neither excluded nor among `found`.
    pub(crate) fn check_only(&self, found: &[TableSchema]) -> Result<()> {
        let is_found = |name: &String| found.iter().any(|table| table.name == *name);
        let mut missing =
            self.only.iter().flatten().filter(|name| !is_found(name) && !self.exclude.contains(*name));
        match missing.next() {
            Some(name) => Err(Error::missing(&self.source, format!("table {name:?} that can be read"))),
            None => Ok(()),
        }
    }
}

/// Leaves out rows whose time is known to be earlier, and rows without a time (NULL).
///
/// Times without a zone count as UTC. Texts and numbers are read in the forms that many applications write. Rows with an
/// unreadable value are kept; [`SnapshotInfo::unreadable_times`] counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The time column.
    pub column: String,
    /// Microseconds since the Unix epoch.
    pub from: i64,
}

/// How a snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Product and version, for example `PostgreSQL 15.18` or `SQLite 3.51.3`.
    pub engine: String,
    /// `repeatable-read`, `read-transaction` or `vacuum-copy`.
    pub kind: &'static str,
    /// Data that is left out: relations with rows, columns, and data outside tables.
    pub skipped: Vec<Skipped>,
    /// Grows with each table that is read with a [`Since`].
    pub unreadable_times: Vec<UnreadableTimes>,
}

/// Rows that were kept although their time is not known to be late enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableTimes {
    /// The table's archive name.
    pub table: String,
    /// The time column.
    pub column: String,
    /// Number of such rows.
    pub rows: u64,
}

impl SnapshotInfo {
    /// Records and logs the number of unreadable times.
    pub(crate) fn note_unreadable(&mut self, table: &TableSchema, column: &str, rows: u64) {
        if rows == 0 {
            return;
        }
        let (source, table) = (&table.source, table.name.clone());
        tracing::warn!(
            source,
            table,
            column,
            rows,
            "values of the time column are not times; their rows are kept"
        );
        self.unreadable_times.push(UnreadableTimes { table, column: column.to_owned(), rows });
    }
}

/// Left-out data and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The archive name that it would have had: a table, `table.column`, a sequence, or `large objects`.
    pub name: String,
    /// A phrase such as `foreign table: its rows live in another database`.
    pub reason: String,
}
