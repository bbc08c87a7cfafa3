//! How a table is read: found with its definition, used by COPY.

use super::types::Oid;

/// What reading needs beside the schema entry.
pub(super) struct Layout {
    /// See [`super::relations::Relation::from`].
    pub(super) from: String,
    /// See [`super::large`].
    pub(super) guard: Option<String>,
    /// The `search_path` under which alone it can be read, see [`super::functions`].
    pub(super) path: Option<String>,
    /// Each column's type, with domains resolved.
    pub(super) base_types: Vec<Oid>,
    /// Each column as SELECT names it: as it is, or printed by the server.
    pub(super) expressions: Vec<String>,
}
