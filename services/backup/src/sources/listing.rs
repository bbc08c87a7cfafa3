//! The contents of a source, and an export's selection of them.

use jiff::Timestamp;

/// An export's selection from a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    /// Optional groups to include, of any source.
    pub(crate) groups: Vec<String>,
    /// Only these tables, by the source's own names; all of them belong to this source.
    pub(crate) only: Option<Vec<String>>,
    /// For groups with a time column, only rows at or after this time.
    pub(crate) since: Option<Timestamp>,
}

impl Choice {
    /// Whether the group called `name` is included.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group == name)
    }
}

/// The current contents of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Tables of all groups.
    pub(crate) tables: Vec<ListedTable>,
}

impl Listing {
    /// The groups of its tables.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for table in &self.tables {
            if !table.group.is_empty() && !groups.contains(&table.group) {
                groups.push(table.group.clone());
            }
        }
        groups
    }
}

/// A table in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedTable {
    /// Its own name in its source.
    pub(crate) name: String,
    /// Its optional group; empty if it is always exported.
    pub(crate) group: String,
    /// It is exported but never accepted back, so no restore changes it.
    pub(crate) read_only: bool,
}
