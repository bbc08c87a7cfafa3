//! Why rows are rejected by a table.

use super::pair::Pair;
use crate::error::{Error, Result};
use crate::fault::sqlite_code;
use crate::load::Refusal;

/// Like [`constraint`], for staged rows, whose only constraint is the key: SQLite's message would name our own table.
pub(super) fn staged(source: &str, pair: &Pair, error: &sqlx::Error) -> Error {
    match constraint(source, &pair.name, error) {
        Error::Constraint { name, table, .. } => {
            let key = pair.key.iter().flat_map(|key| &key.columns);
            let key = key.filter_map(|(at, _)| pair.names().nth(*at)).collect::<Vec<_>>().join(", ");
            let problem = format!("some have the same values in the key {key}");
            Error::Constraint { name, table, problem }
        }
        other => other,
    }
}

/// [`Error::Constraint`] if a row violates a constraint; otherwise the database error. SQLite's messages name columns,
/// indexes and checks.
pub(super) fn constraint(source: &str, table: &str, error: &sqlx::Error) -> Error {
    const CONSTRAINT: i32 = 19;
    if sqlite_code(error) & 0xff != CONSTRAINT {
        return Error::database(source, format!("writing to table {table}"), error);
    }
    let problem = error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
    Error::Constraint { name: source.to_owned(), table: table.to_owned(), problem }
}

/// Refuses if there is any reason against a restore.
pub(super) fn unless_none(source: &str, refusals: Vec<Refusal>) -> Result<()> {
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused { name: source.to_owned(), refusals }) }
}
