//! One database in one moment: what there is, and reading it.

use std::collections::HashSet;

use strongroom_archive::schema::TableSchema;
use strongroom_store::{DatabaseUrl, Engine};
use tokio::sync::mpsc;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::postgres::PostgresSnapshot;
use crate::sqlite::SqliteSnapshot;

/// What to read of a database.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// The source's name: it stands in every schema entry and error.
    pub source: String,
    /// Tables and partitions to leave out, by archive name. [`open_snapshot`] ignores names that do not exist,
    /// because a table may be dropped; [`list_tables`] refuses them, because they may be mistyped.
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

    /// Whether everything is wanted that is not excluded.
    pub(crate) fn is_complete(&self) -> bool {
        self.only.is_none()
    }

    /// Refuses names in `exclude` that are not among `known`.
    pub(crate) fn check_exclude(&self, known: &HashSet<String>) -> Result<()> {
        match self.exclude.iter().find(|name| !known.contains(*name)) {
            Some(name) => {
                Err(Error::missing(&self.source, format!("table {name:?}, which is to be excluded")))
            }
            None => Ok(()),
        }
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
/// Times without a zone count as UTC. Texts and numbers are read as many applications write them, and rows are kept
/// whose value cannot be read: [`SnapshotInfo::unreadable_times`] counts them.
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
    /// What holds data and is left out: things that hold rows, columns, and data outside of tables.
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
    /// How many.
    pub rows: u64,
}

impl SnapshotInfo {
    /// Notes what `filter` could not read, and says so in the log.
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
            "values of the time column are no times; their rows are kept"
        );
        self.unreadable_times.push(UnreadableTimes { table, column: column.to_owned(), rows });
    }
}

/// Something that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its archive name, had it been exported: of a table, `table.column`, a sequence, `large objects`.
    pub name: String,
    /// A phrase such as `foreign table: its rows live in another database`.
    pub reason: String,
}

/// An open snapshot on a connection of its own. Dropping it ends the transaction and the connection.
pub struct Snapshot(Inner);

enum Inner {
    Sqlite(SqliteSnapshot),
    Postgres(Box<PostgresSnapshot>),
}

/// Opens the database and fixes one moment for everything that is read.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::NoAnswer`] or [`Error::NotThere`] when there is no database;
/// [`Error::Missing`] for names in `options` that do not exist; [`Error::Denied`],
/// [`Error::LockTimeout`] and [`Error::Vanished`] naming the table.
pub async fn open_snapshot(url: &DatabaseUrl, options: &SnapshotOptions) -> Result<Snapshot> {
    let inner = match url.engine() {
        Engine::Sqlite(path) => Inner::Sqlite(SqliteSnapshot::open(url, path, options).await?),
        Engine::Postgres(connect) => {
            Inner::Postgres(Box::new(PostgresSnapshot::open(url, connect, options).await?))
        }
    };
    Ok(Snapshot(inner))
}

/// What [`open_snapshot`] would read, for a check at start. Nothing is locked.
///
/// # Errors
/// As [`open_snapshot`], except those of locking; and [`Error::Missing`] for excluded names that do not exist.
pub async fn list_tables(url: &DatabaseUrl, options: &SnapshotOptions) -> Result<Vec<TableSchema>> {
    match url.engine() {
        Engine::Sqlite(path) => crate::sqlite::list_tables(url, path, options).await,
        Engine::Postgres(connect) => crate::postgres::list_tables(url, connect, options).await,
    }
}

impl Snapshot {
    /// How it was taken.
    #[must_use]
    pub fn info(&self) -> &SnapshotInfo {
        match &self.0 {
            Inner::Sqlite(snapshot) => &snapshot.info,
            Inner::Postgres(snapshot) => &snapshot.info,
        }
    }

    /// The selected tables in order of name.
    #[must_use]
    pub fn tables(&self) -> &[TableSchema] {
        match &self.0 {
            Inner::Sqlite(snapshot) => &snapshot.tables,
            Inner::Postgres(snapshot) => &snapshot.tables,
        }
    }

    /// Sends all rows of a table (by archive name) and returns how many there were.
    ///
    /// When it fails, or its future is dropped, drop the snapshot too: the connection may be in the middle
    /// of a result.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::TimeColumn`] before the first row, [`Error::Cancelled`] as soon as
    /// the receiver is gone.
    pub async fn read_table(
        &mut self,
        table: &str,
        since: Option<&Since>,
        blocks: &mpsc::Sender<Block>,
    ) -> Result<u64> {
        let read = async {
            match &mut self.0 {
                Inner::Sqlite(snapshot) => snapshot.read_table(table, since, blocks).await,
                Inner::Postgres(snapshot) => snapshot.read_table(table, since, blocks).await,
            }
        };
        // The receiver may leave while the database thinks: then no send would notice.
        tokio::select! {
            biased;
            result = read => result,
            () = blocks.closed() => Err(Error::Cancelled),
        }
    }

    /// Key ids in a column of sealed values (`srv1.<kid>.…`) with their number of rows, in order of kid: the 10,000
    /// that most rows have, because whoever writes such a column may make up any number of them.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such table or column.
    pub async fn count_kids(&mut self, table: &str, column: &str) -> Result<Vec<(String, u64)>> {
        match &mut self.0 {
            Inner::Sqlite(snapshot) => snapshot.count_kids(table, column).await,
            Inner::Postgres(snapshot) => snapshot.count_kids(table, column).await,
        }
    }

    /// Ends the transaction and waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(snapshot) => snapshot.close().await,
            Inner::Postgres(snapshot) => snapshot.close().await,
        }
    }
}

/// The position of a table in `tables`.
pub(crate) fn find_table(tables: &[TableSchema], name: &str, source: &str) -> Result<usize> {
    tables
        .iter()
        .position(|table| table.name == name)
        .ok_or_else(|| Error::missing(source, format!("table {name:?} in this snapshot")))
}

/// The position of a column in its table.
pub(crate) fn find_column(table: &TableSchema, column: &str) -> Result<usize> {
    table
        .columns
        .iter()
        .position(|other| other.name == column)
        .ok_or_else(|| Error::missing(&table.source, format!("column {column:?} in table {:?}", table.name)))
}

/// An identifier as SQL wants it, in both engines.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// What a row begins each column with: `{"id":`, `,"name":` and so on.
pub(crate) fn column_keys(table: &TableSchema) -> Vec<Vec<u8>> {
    let mut keys = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let mut key = vec![if index == 0 { b'{' } else { b',' }];
        strongroom_archive::json::write_string(&mut key, &column.name);
        key.push(b':');
        keys.push(key);
    }
    keys
}
