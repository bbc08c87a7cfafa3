//! Chosen tables as one JSON document, by which they move from one deployment to another. docs/tables.md is the
//! specification.
//!
//! A document is written in one pass. It is read in two, because what a table looks like may stand behind its rows: first its
//! outline ([`Outline::read`]), then its rows ([`Outline::read_rows`]). Memory is one row and the schemas, both within the
//! caller's limits, whatever the document holds.

mod error;
mod fields;
mod meter;
mod outline;
mod row;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod visit;
mod writer;

pub use error::DocumentError;
pub use outline::{Outline, OutlinedTable};
pub use rows::TakeRows;
pub use shape::{Form, form};
pub use writer::{DocumentWriter, document_file_name};

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// How much of a document may be held in memory.
#[derive(Debug, Clone, Copy)]
pub struct DocumentLimits {
    /// Bytes of one row, with the blanks around it.
    pub row_bytes: u64,
    /// Bytes of everything else together: names and schemas.
    pub head_bytes: u64,
}
