//! The current state of all sources. A source that cannot be read is part of the answer, and does not change the names
//! of the others: its tables at the last read still count.

use super::listing::ListedTable;
use super::naming::Names;
use crate::error::Error;

/// The contents of every source, in archive order.
pub(crate) struct Survey {
    /// The sources.
    pub(crate) sources: Vec<Surveyed>,
    /// Archive names of all known tables.
    pub(crate) names: Names,
}

/// One source.
pub(crate) struct Surveyed {
    /// The source's name.
    pub(crate) source: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub(crate) kind: &'static str,
    /// The optional group of the whole source; empty if there is none.
    pub(crate) group: String,
    /// All its optional groups, as far as known.
    pub(crate) groups: Vec<String>,
    /// Whether its table names do not depend on other sources.
    pub(crate) has_prefix: bool,
    /// Its tables, or those at the last read; `None` if the source was never read.
    pub(crate) tables: Option<Vec<ListedTable>>,
    /// The error that prevents reading the source now.
    pub(crate) error: Option<Error>,
}

/// A table found by its archive name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Located<'a> {
    /// Index of its source.
    pub(crate) at: usize,
    /// The table, with its own name.
    pub(crate) table: &'a ListedTable,
}

impl Survey {
    /// The table with this archive name.
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

    /// The error of a source that was never read. To be reported when a requested table or group was not found, because
    /// that source may have it.
    pub(crate) fn take_unknown(&mut self) -> Option<Error> {
        self.sources.iter_mut().find(|source| source.tables.is_none())?.error.take()
    }

    /// The sources before the one at index `at` that were never read. They may have tables of the same names as its
    /// tables, which would then get other names in archives.
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
