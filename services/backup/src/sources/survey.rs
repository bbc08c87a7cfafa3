//! All sources as they are now. One that cannot be read is an answer like any other, and keeps the names of the others
//! as they were: what it had when it was last read still counts.

use super::listing::ListedTable;
use super::naming::Names;
use crate::error::Error;

/// What every source has, in archive order.
pub(crate) struct Survey {
    /// The sources.
    pub(crate) sources: Vec<Surveyed>,
    /// Of all tables that are known.
    pub(crate) names: Names,
}

/// One source.
pub(crate) struct Surveyed {
    /// The source's name.
    pub(crate) source: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub(crate) kind: &'static str,
    /// The optional group of the whole source; empty when there is none.
    pub(crate) group: String,
    /// All its optional groups, as far as they are known.
    pub(crate) groups: Vec<String>,
    /// Whether its names are its own affair, and those of other sources do not matter.
    pub(crate) has_prefix: bool,
    /// Its tables, or those that it had when it was last read; `None` when it never was.
    pub(crate) tables: Option<Vec<ListedTable>>,
    /// Why it cannot be read now.
    pub(crate) error: Option<Error>,
}

/// A table that was found by its archive name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Located<'a> {
    /// Which source has it.
    pub(crate) at: usize,
    /// By its own name.
    pub(crate) table: &'a ListedTable,
}

impl Survey {
    /// The table called `name` in archives.
    pub(crate) fn find(&self, name: &str) -> Option<Located<'_>> {
        for (at, source) in self.sources.iter().enumerate() {
            let mut tables = source.tables.iter().flatten();
            if let Some(table) = tables.find(|table| self.names.of(at, &table.name) == Some(name)) {
                return Some(Located { at, table });
            }
        }
        None
    }

    /// The optional groups of all sources, as manifests list them.
    pub(crate) fn groups(&self) -> Vec<String> {
        let groups: Vec<_> = self.sources.iter().map(|source| source.groups.clone()).collect();
        in_manifest_order(&groups)
    }

    /// Why a source of which nothing is known cannot be read: it may have what is not found elsewhere.
    pub(crate) fn take_unknown(&mut self) -> Option<Error> {
        self.sources.iter_mut().find(|source| source.tables.is_none())?.error.take()
    }

    /// Sources before `at` of which nothing is known, so that they may have names that its tables have now.
    pub(crate) fn unknown_before(&self, at: usize) -> impl Iterator<Item = &str> {
        let matter = self.sources.get(at).is_some_and(|source| !source.has_prefix);
        let before = self.sources.iter().take(if matter { at } else { 0 });
        before.filter(|source| source.tables.is_none()).map(|source| source.source.as_str())
    }
}

/// The groups of configured sources, then those of the vault, which is the first source.
pub(super) fn in_manifest_order(groups: &[Vec<String>]) -> Vec<String> {
    let mut ordered: Vec<String> = Vec::new();
    for group in groups.iter().skip(1).chain(groups.first()).flatten() {
        if !ordered.contains(group) {
            ordered.push(group.clone());
        }
    }
    ordered
}
