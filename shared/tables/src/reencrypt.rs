//! Replaces sealed values in an application's columns while the application runs.
//!
//! A column is scanned by its table's primary key, page by page, so that memory does not depend on the table's size. Each
//! page is read and each batch is written by one statement in a separate transaction; nothing is locked in between. A value
//! is replaced only if it is still the one that was read. A row that another session holds is skipped rather than waited for:
//! waiting while holding other rows could cause a deadlock.

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
    /// Its table's name in [`crate::list_tables`].
    pub table: String,
    /// Its name.
    pub column: String,
    /// Columns whose values make up the additional data.
    pub needed: Vec<String>,
}

/// The part of a column to scan next.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// Rows after this key; `None`: from the first row on.
    pub after: Option<&'a RowKey>,
    /// Maximum number of rows to scan.
    pub rows: u32,
    /// Values of this key version are skipped.
    pub kid: &'a str,
    /// Maximum length of a value that is read, in bytes.
    pub longest: usize,
}

/// Scanned rows.
#[derive(Debug, Default)]
pub struct Page {
    /// Rows with a value of another key version, or with a value that has none.
    pub values: Vec<FoundValue>,
    /// Number of rows scanned.
    pub rows: u32,
    /// Whether the page ended early because its values are long.
    pub is_cut: bool,
    /// The last row's key; `None` at the end of the table.
    pub end: Option<RowKey>,
    bytes: usize,
}

impl Page {
    /// Adds the next row, and its value if that must be checked. Returns whether the page is full, by `walk`'s row limit or
    /// by bytes.
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

/// A value that does not belong to the wanted key version.
#[derive(Debug)]
pub struct FoundValue {
    /// Its row's key.
    pub key: RowKey,
    /// The value; `None` if it is not text, is empty or is too long.
    pub text: Option<String>,
    /// Whether a census counts it: it begins like a sealed value.
    pub is_counted: bool,
    /// The row's values in [`SealedColumn::needed`], in archive form.
    pub needed: Vec<Box<RawValue>>,
}

impl FoundValue {
    /// Size in memory. The values in `needed` count too, because only the application limits their length.
    fn bytes(&self) -> usize {
        let needed: usize = self.needed.iter().map(|value| value.get().len()).sum();
        self.text.as_ref().map_or(0, String::len) + needed + self.key.bytes()
    }
}

/// The replacement of a value.
#[derive(Debug)]
pub struct Change {
    /// Its row's key.
    pub key: RowKey,
    /// The value that must still be in place.
    pub old: String,
    /// The new value.
    pub new: String,
}

/// Size of the values at which a page is cut, in bytes.
const PAGE_BYTES: usize = 2 << 20;

/// A connection that replaces values, as the owner of the tables. Dropping it ends any running statement.
pub struct Rewriter(Inner);

enum Inner {
    Sqlite(Box<SqliteRewriter>),
    Postgres(Box<PostgresRewriter>),
}

impl Rewriter {
    /// Connects, and checks that all `columns` can be scanned and written. `options` specify how the source is read.
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

    /// Scans rows of the column at this index.
    ///
    /// # Errors
    /// A database error.
    pub async fn page(&mut self, column: usize, walk: Walk<'_>) -> Result<Page> {
        match &mut self.0 {
            Inner::Sqlite(rewriter) => rewriter.page(column, walk).await,
            Inner::Postgres(rewriter) => rewriter.page(column, walk).await,
        }
    }

    /// Replaces the values that have not changed, and returns how many were replaced.
    ///
    /// # Errors
    /// A database error. Rows held by other sessions are not an error.
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
