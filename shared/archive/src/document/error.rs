//! Errors of a document. No message contains a row's value, and the document cannot make a message
//! arbitrarily long.

use std::io;

use crate::quote::Quoted;

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file that holds it could not be read.
    #[error("the document could not be read: {0}")]
    Read(#[source] io::Error),
    /// The receiver of the rows accepts no more of them, for this reason.
    #[error("the document's rows could not be passed on: {0}")]
    Sink(#[source] io::Error),
    /// It is not a document.
    #[error(
        "this is neither a table document, which has the field \"strongroom_tables\", nor Gatwy's connection export, \
         which has the fields \"version\", \"groups\" and \"connections\""
    )]
    Unknown,
    /// It has the form of a later release.
    #[error("the document has version {0}, and this release reads version 1: use a newer release")]
    Future(u64),
    /// It ends early.
    #[error("the document ends early: copy it again")]
    Cut,
    /// It is not JSON, or not a valid document.
    #[error("the document is not in the form that docs/tables.md describes: {0}")]
    Form(String),
    /// A row is too long.
    #[error("row {row} of table {table} has more than {limit} bytes", table = Quoted(table))]
    RowLimit {
        /// The table.
        table: String,
        /// The row number, counted from 1.
        row: u64,
        /// Maximum bytes of a row.
        limit: u64,
    },
    /// Names and schemas are too long.
    #[error("names and schemas of the document have more than {0} bytes")]
    HeadLimit(u64),
    /// A row does not match its table.
    #[error("row {row} of table {table} {problem}", table = Quoted(table))]
    Row {
        /// The table.
        table: String,
        /// The row number, counted from 1.
        row: u64,
        /// The problem, as a verb phrase.
        problem: String,
    },
}
