//! The target's tables, with the data that a restore needs beyond an archive's schema entry.

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;

use super::super::foreign::VirtualTable;
use super::super::introspect;
use super::key::{self, Key};
use super::search::{self, Inner};
use crate::options::SnapshotOptions;

/// A table of the target.
#[derive(Debug, Clone)]
pub(super) struct LiveTable {
    /// The schema entry, including hidden columns.
    pub(super) schema: TableSchema,
    pub(super) is_strict: bool,
    pub(super) has_rowid: bool,
    /// Its role for a virtual table.
    pub(super) inner: Inner,
    /// The primary key comes first.
    pub(super) keys: Vec<Key>,
    /// A collation that only the application provides, used by one of the table's indexes.
    pub(super) unknown_collation: Option<String>,
}

/// The target's tables and properties.
pub(super) struct Live {
    pub(super) engine: String,
    pub(super) tables: Vec<LiveTable>,
    pub(super) virtual_tables: Vec<VirtualTable>,
    /// `wal`, `delete` and so on.
    pub(super) journal_mode: String,
    pub(super) is_utf16: bool,
}

impl Live {
    /// SQLite ignores the case of ASCII letters in names.
    pub(super) fn table(&self, name: &str) -> Option<&LiveTable> {
        self.tables.iter().find(|table| table.schema.table.eq_ignore_ascii_case(name))
    }
}

/// Reads all tables. Nothing is hidden from a restore, which must not lose hidden data.
pub(super) async fn read(connection: &mut SqliteConnection, options: &SnapshotOptions) -> sqlx::Result<Live> {
    let all = SnapshotOptions::new(&options.source);
    let found = introspect::tables(connection, &all, false).await?;
    let virtual_tables = search::virtual_tables(connection).await?;
    let mut tables = Vec::new();
    for schema in found.tables {
        tables.push(table(connection, schema, &virtual_tables, &found.known).await?);
    }
    let journal_mode = sqlx::query_scalar("PRAGMA main.journal_mode").fetch_one(&mut *connection).await?;
    let encoding: String = sqlx::query_scalar("PRAGMA main.encoding").fetch_one(connection).await?;
    let is_utf16 = encoding != "UTF-8";
    Ok(Live { engine: found.engine, tables, virtual_tables, journal_mode, is_utf16 })
}

async fn table(
    connection: &mut SqliteConnection,
    schema: TableSchema,
    virtual_tables: &[VirtualTable],
    known: &HashSet<String>,
) -> sqlx::Result<LiveTable> {
    let (kind, without_rowid, is_strict): (String, bool, bool) =
        sqlx::query_as("SELECT type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1")
            .bind(&schema.table)
            .fetch_one(&mut *connection)
            .await?;
    let indexes = key::indexes(connection, &schema.table).await?;
    let keys = key::keys(&schema, &indexes, without_rowid);
    let is_known = |name: &str| known.iter().any(|table| table.eq_ignore_ascii_case(name));
    let inner = match kind.as_str() {
        "shadow" => Inner::of(&schema.table, virtual_tables, is_known),
        _ => Inner::No,
    };
    let unknown_collation = key::unknown_collation(&indexes);
    Ok(LiveTable { schema, is_strict, has_rowid: !without_rowid, inner, keys, unknown_collation })
}
