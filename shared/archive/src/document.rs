//! Selected tables as one JSON document, for moving them from one deployment to another. docs/tables.md is
//! the specification.
//!
//! A document is written in one pass. It is read in two passes, because a table's schema may follow its rows:
//! first the outline ([`Outline::read`]), then the rows ([`Outline::read_rows`]). Memory is limited to one
//! row and the schemas, both within the caller's limits, whatever the document contains.

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

/// The version that is written, and the only one that can be read.
const VERSION: u64 = 1;

/// Memory limits for reading a document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentLimits {
    /// Maximum bytes of one row, including surrounding white space.
    pub row_bytes: u64,
    /// Maximum bytes of everything else together: names and schemas.
    pub head_bytes: u64,
}
