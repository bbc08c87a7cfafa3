//! What a server says of rows that a table does not take, without their values.

use sqlx::postgres::PgDatabaseError;

use super::pair::TablePair;
use crate::error::Error;
use crate::names::quoted;

/// A failure of loading rows of a table, or of building what its rows must satisfy.
pub(super) fn of(source: &str, pair: &TablePair, error: &sqlx::Error) -> Error {
    let table = pair.archive.name.clone();
    match error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        Some(error) if matches!(error.code().get(..2), Some("22" | "23")) => {
            Error::Constraint { name: source.to_owned(), table, problem: problem(pair, error) }
        }
        _ => Error::database(source, format!("loading table {table}"), error),
    }
}

/// The same where the server alone knows which table it is.
pub(super) fn of_any(source: &str, pairs: &[TablePair], what: &str, error: &sqlx::Error) -> Error {
    let told = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let is_it = |pair: &&TablePair| {
        told.is_some_and(|told| {
            told.schema() == Some(&pair.live.namespace) && told.table() == Some(&pair.live.table)
        })
    };
    match pairs.iter().find(is_it) {
        Some(pair) => of(source, pair, error),
        None => Error::database(source, what, error),
    }
}

/// By the error codes of the PostgreSQL documentation, appendix A.
fn problem(pair: &TablePair, error: &PgDatabaseError) -> String {
    let constraint = error.constraint().unwrap_or_default();
    let code = error.code();
    match code {
        "23502" => format!("column {} takes no NULL", error.column().unwrap_or_default()),
        "23503" => format!("the foreign key {constraint} would lead nowhere"),
        // The key of our own table has a name that nobody knows.
        "23505" if error.table().is_some_and(|table| pair.stage.ends_with(&quoted(table))) => {
            format!("some have the same values in the key {}", pair.key.join(", "))
        }
        "23505" => format!("some have the same values in the key {constraint}"),
        "23514" if constraint.is_empty() => "no partition is there for some".to_owned(),
        "23514" => format!("some violate the check {constraint}"),
        "23P01" => format!("some exclude each other by {constraint}"),
        _ => match column(pair, error.r#where().unwrap_or_default()) {
            Some(column) => {
                format!("column {column} takes no such value as one of theirs (SQLSTATE {code})")
            }
            None => format!("a column takes no such value as one of theirs (SQLSTATE {code})"),
        },
    }
}

/// The column that a server which speaks English names in `COPY things, line 7, column price: "…"`. The table's name
/// in front and the value behind may be anything, so that only a known column counts.
fn column<'a>(pair: &'a TablePair, context: &str) -> Option<&'a str> {
    let (_, behind) = context.split_once(", line ")?;
    let behind = behind.trim_start_matches(|character: char| character.is_ascii_digit());
    let behind = behind.strip_prefix(", column ")?;
    let columns = pair.live.columns.iter().map(|column| column.name.as_str());
    let is_named = |column: &&str| behind.strip_prefix(*column).is_some_and(|rest| rest.starts_with(": "));
    columns.filter(is_named).max_by_key(|column| column.len())
}
