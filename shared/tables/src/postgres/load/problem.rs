//! Describes the server's error for rows that a table rejects, without their values.

use sqlx::postgres::PgDatabaseError;

use super::pair::TablePair;
use super::statements::Failure;
use crate::error::Error;
use crate::names::quoted;
use crate::postgres::codes;

/// A failure while loading rows of a table, or while building something that its rows must satisfy.
pub(super) fn of(source: &str, pair: &TablePair, error: &sqlx::Error) -> Error {
    let table = pair.archive.name.clone();
    match error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        Some(error) if matches!(error.code().get(..2), Some("22" | "23")) => {
            Error::Constraint { name: source.to_owned(), table, problem: problem(pair, error) }
        }
        _ => Error::database(source, format!("loading table {table}"), error),
    }
}

/// Like [`of`], for a statement; `pair` is its table, if known.
pub(super) fn meant(source: &str, pair: Option<&TablePair>, failure: Failure) -> Failure {
    match (pair, failure) {
        (Some(pair), Failure::Server { error, .. }) => of(source, pair, &error).into(),
        (_, failure) => failure,
    }
}

/// Like [`meant`], if only the server knows the table.
pub(super) fn meant_of_any(source: &str, pairs: &[TablePair], failure: Failure) -> Failure {
    let Failure::Server { error, .. } = &failure else { return failure };
    let told = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let is_it = |pair: &&TablePair| {
        told.is_some_and(|told| {
            told.schema() == Some(&pair.live.namespace) && told.table() == Some(&pair.live.table)
        })
    };
    meant(source, pairs.iter().find(is_it), failure)
}

fn problem(pair: &TablePair, error: &PgDatabaseError) -> String {
    let constraint = error.constraint().unwrap_or_default();
    let code = error.code();
    match code {
        codes::NOT_NULL_VIOLATION => {
            format!("column {} does not accept NULL", error.column().unwrap_or_default())
        }
        codes::FOREIGN_KEY_VIOLATION => format!("the foreign key {constraint} would reference missing rows"),
        // The name of our own table's key means nothing to the user.
        codes::UNIQUE_VIOLATION
            if error.table().is_some_and(|table| pair.stage.ends_with(&quoted(table))) =>
        {
            format!("some have the same values in the key {}", pair.key.join(", "))
        }
        codes::UNIQUE_VIOLATION => format!("some have the same values in the key {constraint}"),
        codes::CHECK_VIOLATION if constraint.is_empty() => "some fit no partition".to_owned(),
        codes::CHECK_VIOLATION => format!("some violate the check {constraint}"),
        codes::EXCLUSION_VIOLATION => format!("some exclude each other by {constraint}"),
        _ => match column(pair, error.r#where().unwrap_or_default()) {
            Some(column) => {
                format!("column {column} does not accept one of their values (SQLSTATE {code})")
            }
            None => format!("a column does not accept one of their values (SQLSTATE {code})"),
        },
    }
}

/// The column that an English-speaking server names in `COPY things, line 7, column price: "…"`. The table's name before it
/// and the value after it can be anything, so only a known column counts.
fn column<'a>(pair: &'a TablePair, context: &str) -> Option<&'a str> {
    let (_, behind) = context.split_once(", line ")?;
    let behind = behind.trim_start_matches(|character: char| character.is_ascii_digit());
    let behind = behind.strip_prefix(", column ")?;
    let columns = pair.live.columns.iter().map(|column| column.name.as_str());
    let is_named = |column: &&str| behind.strip_prefix(*column).is_some_and(|rest| rest.starts_with(": "));
    columns.filter(is_named).max_by_key(|column| column.len())
}
