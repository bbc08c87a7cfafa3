//! Requirements on a column that is to be scanned and written, for either engine.

use strongroom_archive::schema::TableSchema;

use super::SealedColumn;
use crate::error::{Error, Result};
use crate::names::{find_column, find_table};

/// The index of the column's table in `tables`, if the column can be scanned and written.
///
/// # Errors
/// [`Error::Missing`], [`Error::NoPrimaryKey`], [`Error::NotWritable`].
pub(crate) fn check(tables: &[TableSchema], column: &SealedColumn, source: &str) -> Result<usize> {
    let at = find_table(tables, &column.table, source)
        .map_err(|_| Error::missing(source, format!("table {:?}", column.table)))?;
    let table = &tables[at];
    let sealed = &table.columns[find_column(table, &column.column)?];
    for needed in &column.needed {
        find_column(table, needed)?;
    }
    if table.primary_key.is_empty() {
        return Err(Error::NoPrimaryKey { name: source.to_owned(), table: table.name.clone() });
    }
    let problem = if sealed.generated.is_some() {
        "the database computes it"
    } else if table.primary_key.contains(&column.column) {
        "it is part of the primary key, by which rows are found"
    } else {
        return Ok(at);
    };
    let (table, column) = (table.name.clone(), column.column.clone());
    Err(Error::NotWritable { name: source.to_owned(), table, column, problem: problem.to_owned() })
}
