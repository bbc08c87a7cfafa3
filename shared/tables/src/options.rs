//! What the caller of a snapshot chooses, and what it learns about the snapshot. Both engines and the type over them
//! need these, so they belong below all three.

use strongroom_archive::schema::TableSchema;

use crate::error::{Error, Result};

/// What to read of a database.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// The source's name: it stands in every schema entry and error.
    pub source: String,
    /// Tables to leave out, by archive name. Names that do not exist are ignored.
    pub exclude: Vec<String>,
    /// Only these tables, by archive name. A name that does not exist is an error.
    pub only: Option<Vec<String>>,
    /// SQLite: read a temporary copy (`VACUUM INTO`), so that no writer waits and the WAL does not grow.
    /// It takes as much space in the system's temporary folder as the database.
    pub temp_copy: bool,
    /// PostgreSQL: only these schemas; empty means every schema that is not the system's.
    pub schemas: Vec<String>,
}

impl SnapshotOptions {
    /// Everything in the database.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// Whether the table called `name` is wanted.
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

/// Rows whose time is known to be earlier are left out; rows without a time (NULL) as well.
///
/// Times without a zone count as UTC; text is read as ISO 8601.
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
    /// Selected things that hold rows but are not exported.
    pub skipped: Vec<Skipped>,
}

/// Something that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its archive name, had it been exported.
    pub name: String,
    /// A phrase such as `virtual table`.
    pub reason: String,
}
