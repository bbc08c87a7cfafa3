//! What becomes of the rows that a table already has.

/// How an archive's rows get into tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The tables must be empty. Rows are loaded directly and indexes built afterwards, which is fastest.
    IntoEmpty,
    /// Rows whose key the table already has stay as they are; all others are added.
    Merge,
    /// The tables hold exactly the archive's rows afterwards.
    Replace,
}
