//! How a table is read: determined with its definition, used by COPY.

use super::types::Oid;

/// Data needed for reading, in addition to the schema entry.
pub(super) struct Layout {
    /// See [`super::relations::Relation::from`].
    pub(super) from: String,
    /// See [`super::large`].
    pub(super) guard: Option<String>,
    /// The only `search_path` under which it can be read, see [`super::functions`].
    pub(super) path: Option<String>,
    /// Each column's type, with domains resolved.
    pub(super) base_types: Vec<Oid>,
    /// Each column as an expression for SELECT: its name, or printed by the server.
    pub(super) expressions: Vec<String>,
}
