//! What a source offers, and what an export chooses of it.

use jiff::Timestamp;

/// What an export wants of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    /// Optional groups to include, of any source.
    pub(crate) groups: Vec<String>,
    /// Only these tables, all of this source.
    pub(crate) only: Option<Vec<String>>,
    /// Of groups with a time column, only rows at or after it.
    pub(crate) since: Option<Timestamp>,
}

impl Choice {
    /// Whether the group called `name` is included.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group == name)
    }
}

/// A source and what it could give now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The source's name.
    pub(crate) source: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub(crate) kind: &'static str,
    /// The optional group of the whole source; empty when there is none.
    pub(crate) group: String,
    /// Tables of all groups.
    pub(crate) tables: Vec<ListedTable>,
}

/// A table in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedTable {
    /// Its name in archives.
    pub(crate) name: String,
    /// Its optional group; empty when it is always exported.
    pub(crate) group: String,
}
