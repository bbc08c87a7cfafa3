//! What can be wrong with a document. No message holds a value of a row, and none is as long as the document wants.

use std::io;

use crate::quote::Quoted;

/// Why a document is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file that holds it could not be read.
    #[error("the document could not be read: {0}")]
    Read(#[source] io::Error),
    /// Whoever takes the rows wants no more of them, and has the reason.
    #[error("the rows of the document could not be handed on: {0}")]
    Sink(#[source] io::Error),
    /// It is something else.
    #[error(
        "this is neither a document of tables, which has the field \"strongroom_tables\", nor Gatwy's connection export, \
         which has the fields \"version\", \"groups\" and \"connections\""
    )]
    Unknown,
    /// It is in the form of a later release.
    #[error("the document has the version {0}, and this release reads version 1: use a newer release")]
    Future(u64),
    /// It ends early.
    #[error("the document ends early: copy it again")]
    Cut,
    /// It is no JSON, or no document.
    #[error("the document is not in the form that docs/tables.md describes: {0}")]
    Form(String),
    /// A row is too long.
    #[error("row {row} of table {table} has more than {limit} bytes", table = Quoted(table))]
    RowLimit {
        /// The table.
        table: String,
        /// Counted from 1.
        row: u64,
        /// How many bytes it may have.
        limit: u64,
    },
    /// Everything that is no row is too long.
    #[error("names and schemas of the document have more than {0} bytes")]
    HeadLimit(u64),
    /// A row does not fit its table.
    #[error("row {row} of table {table} {problem}", table = Quoted(table))]
    Row {
        /// The table.
        table: String,
        /// Counted from 1.
        row: u64,
        /// What is wrong with it, as a verb phrase.
        problem: String,
    },
}
