//! The table in which an application records its migrations, used to detect an archive that is newer than a database.

use strongroom_archive::Limits;
use strongroom_archive::manifest::Migrations;
use strongroom_archive::schema::TableSchema;

use crate::error::{Error, Result};
use crate::options::SnapshotOptions;

/// Columns in which common tools keep migration ids: Laravel, Prisma, Flyway and Rails, Alembic, Entity Framework, Goose,
/// Django and Knex.
const COLUMNS: [&str; 7] =
    ["migration", "migration_name", "version", "version_num", "MigrationId", "version_id", "name"];

/// Location of the migration ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationsTable {
    /// The table, by archive name.
    pub table: String,
    /// Its column with the ids. If none: a column with a name that common tools use, or else the only column of the primary
    /// key.
    pub column: Option<String>,
}

/// The table and its column, if the options name a table that is among `tables`.
///
/// # Errors
/// [`Error::Missing`] when the table has no such column.
pub(crate) fn find<'a>(
    options: &SnapshotOptions,
    tables: &'a [TableSchema],
) -> Result<Option<(&'a TableSchema, &'a str)>> {
    let Some(wanted) = &options.migrations else { return Ok(None) };
    let Some(table) = tables.iter().find(|table| table.name == wanted.table) else { return Ok(None) };
    let known = |name: &str| table.columns.iter().map(|column| &*column.name).find(|column| *column == name);
    let found = match (&wanted.column, table.primary_key.as_slice()) {
        (Some(column), _) => known(column),
        (None, key) => COLUMNS.iter().find_map(|column| known(column)).or(match key {
            [only] => known(only),
            _ => None,
        }),
    };
    let what = || match &wanted.column {
        Some(column) => format!("column {column:?} in its migrations_table {:?}", table.name),
        None => format!("column for ids in its migrations_table {:?}; set migrations_column", table.name),
    };
    found.map(|column| Some((table, column))).ok_or_else(|| Error::missing(&options.source, what()))
}

/// Refuses a migrations table that is not among `tables`.
///
/// # Errors
/// [`Error::Missing`].
pub(crate) fn check(options: &SnapshotOptions, tables: &[TableSchema]) -> Result<()> {
    match &options.migrations {
        Some(wanted) if find(options, tables)?.is_none() => {
            let what = format!("table {:?} that is read, which is its migrations_table", wanted.table);
            Err(Error::missing(&options.source, what))
        }
        _ => Ok(()),
    }
}

/// The statement that reads the ids; `from` is the table's SQL name.
pub(crate) fn statement(from: &str, column: &str) -> String {
    let column = crate::names::quoted(column);
    let limit = Limits::V1.entries;
    format!(
        "SELECT CAST(t.{column} AS text) FROM {from} AS t WHERE t.{column} IS NOT NULL ORDER BY 1 LIMIT {limit}"
    )
}

/// The migrations as the manifest records them.
pub(crate) fn record(table: &TableSchema, column: &str, ids: Vec<String>) -> Migrations {
    Migrations { table: table.name.clone(), column: column.to_owned(), ids }
}
