//! How a restore treats the rows that a table already has.

use serde::{Deserialize, Serialize};

/// How an archive's rows get into tables. Records of applied restores store it as `into-empty`, `merge` or `replace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The tables must be empty. Rows are loaded directly and indexes built afterwards, which is fastest.
    IntoEmpty,
    /// Rows whose key the table already has stay as they are; all others are added.
    Merge,
    /// Afterwards the tables hold exactly the archive's rows.
    Replace,
}
