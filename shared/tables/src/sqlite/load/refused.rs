//! Errors of statements that write to a table.

use crate::error::Error;
use crate::fault::sqlite_code;

/// Constraint by name where a row violates one; anything else as it is. SQLite's texts name columns, indexes and checks.
pub(super) fn constraint(source: &str, table: &str, error: &sqlx::Error) -> Error {
    const CONSTRAINT: i32 = 19;
    if sqlite_code(error) & 0xff != CONSTRAINT {
        return Error::database(source, format!("writing to table {table}"), error);
    }
    let problem = error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
    Error::Constraint { name: source.to_owned(), table: table.to_owned(), problem }
}
