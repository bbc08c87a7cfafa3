//! Sealed values of an application's columns, exchanged for others while the application goes on.
//!
//! A column is walked by its table's primary key, page by page, so that memory does not depend on the table. A page is read
//! and a batch is written in a transaction of its own, each by one statement; nothing is locked in between. A value is
//! replaced only where it is still the one that was read. A row that somebody else holds is passed over instead of waited
//! for: whoever waits while holding other rows may be part of a deadlock.

mod check;
mod key;

use serde_json::value::RawValue;
use strongroom_store::{DatabaseUrl, Engine};

use crate::error::Result;
use crate::options::SnapshotOptions;
use crate::postgres::PostgresRewriter;
use crate::sqlite::SqliteRewriter;
pub(crate) use check::check;
pub(crate) use key::KeyPart;
pub use key::RowKey;

/// A column of sealed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedColumn {
    /// Its table, as [`crate::list_tables`] lists it.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Columns whose values the additional data is made of.
    pub needed: Vec<String>,
}

/// Which part of a column is looked at next.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// Rows behind this one; `None`: from the first one on.
    pub after: Option<&'a RowKey>,
    /// Rows to look at, at most.
    pub rows: u32,
    /// Values of this key version are passed over.
    pub kid: &'a str,
    /// The longest value that is read, in bytes.
    pub longest: usize,
}

/// Rows that were looked at.
#[derive(Debug, Default)]
pub struct Page {
    /// Those of them with a value of another key version, or of none.
    pub values: Vec<FoundValue>,
    /// How many were looked at.
    pub rows: u32,
    /// Whether it ended early, because its values are long.
    pub is_cut: bool,
    /// The last one; `None` at the end of the table.
    pub end: Option<RowKey>,
    bytes: usize,
}

impl Page {
    /// Takes the row behind the last one, and its value if it has one to look at. Whether the page is full, of the rows that
    /// `walk` allows or of bytes.
    pub(crate) fn take(&mut self, key: RowKey, found: Option<FoundValue>, walk: Walk<'_>) -> bool {
        self.rows += 1;
        if let Some(value) = found {
            self.bytes += value.bytes();
            self.values.push(value);
        }
        self.is_cut = self.bytes >= PAGE_BYTES;
        let is_full = self.is_cut || self.rows == walk.rows;
        if is_full {
            self.end = Some(key);
        }
        is_full
    }
}

/// A value that is not of the wanted key version.
#[derive(Debug)]
pub struct FoundValue {
    /// Its row.
    pub key: RowKey,
    /// The value; `None` where it is no text, an empty or a too long one.
    pub text: Option<String>,
    /// Whether a census counts it: it begins as sealed values do.
    pub is_counted: bool,
    /// The row's values in [`SealedColumn::needed`], as archives have them.
    pub needed: Vec<Box<RawValue>>,
}

impl FoundValue {
    /// What it holds in memory: its row decides how long the other values are.
    fn bytes(&self) -> usize {
        let needed: usize = self.needed.iter().map(|value| value.get().len()).sum();
        self.text.as_ref().map_or(0, String::len) + needed + self.key.bytes()
    }
}

/// A value that takes the place of another.
#[derive(Debug)]
pub struct Change {
    /// Its row.
    pub key: RowKey,
    /// What must still be there.
    pub old: String,
    /// What takes its place.
    pub new: String,
}

/// Bytes of values from which a page is cut.
const PAGE_BYTES: usize = 2 << 20;

/// A connection that exchanges values, as the owner of the tables. Dropping it ends what it does.
pub struct Rewriter(Inner);

enum Inner {
    Sqlite(Box<SqliteRewriter>),
    Postgres(Box<PostgresRewriter>),
}

impl Rewriter {
    /// Connects, and checks that all `columns` can be walked and written. `options` say how the source is read.
    ///
    /// # Errors
    /// Those of [`crate::open_snapshot`]; [`crate::Error::Missing`] for a table or a column; [`crate::Error::NoPrimaryKey`],
    /// [`crate::Error::NullInKey`], [`crate::Error::NotWritable`].
    pub async fn open(
        url: &DatabaseUrl,
        options: &SnapshotOptions,
        columns: &[SealedColumn],
    ) -> Result<Self> {
        let mut options = options.clone();
        let tables = columns.iter().map(|column| column.table.clone());
        options.only = Some(tables.collect());
        let inner = match url.engine() {
            Engine::Sqlite(path) => {
                Inner::Sqlite(Box::new(SqliteRewriter::open(url, path, &options, columns).await?))
            }
            Engine::Postgres(connect) => {
                Inner::Postgres(Box::new(PostgresRewriter::open(url, connect, &options, columns).await?))
            }
        };
        Ok(Self(inner))
    }

    /// Looks at rows of the column at this position.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(&mut self, column: usize, walk: Walk<'_>) -> Result<Page> {
        match &mut self.0 {
            Inner::Sqlite(rewriter) => rewriter.page(column, walk).await,
            Inner::Postgres(rewriter) => rewriter.page(column, walk).await,
        }
    }

    /// Replaces the values that are still what they were, and returns how many.
    ///
    /// # Errors
    /// The database's. Rows that others hold are none.
    pub async fn replace(&mut self, column: usize, changes: &[Change]) -> Result<u64> {
        if changes.is_empty() {
            return Ok(0);
        }
        match &mut self.0 {
            Inner::Sqlite(rewriter) => rewriter.replace(column, changes).await,
            Inner::Postgres(rewriter) => rewriter.replace(column, changes).await,
        }
    }

    /// Waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(rewriter) => rewriter.close().await,
            Inner::Postgres(rewriter) => rewriter.close().await,
        }
    }
}
