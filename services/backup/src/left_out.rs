//! Items that the sources have but the archive leaves out: clients print them after an export and a verification,
//! because nobody reads the manifest of an intact archive.

use strongroom_api::backup::v1::LeftOut;
use strongroom_archive::manifest::{Skipped, SourceRecord};

/// Maximum number of items that are named to a client and in a manifest; the rest is counted.
const MOST: usize = 100;
/// Maximum length of a text, in characters.
const LONGEST: usize = 200;

/// The first items of a long list, and the total number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FirstFew<T> {
    pub(crate) first: Vec<T>,
    pub(crate) total: usize,
}

impl<T> Default for FirstFew<T> {
    fn default() -> Self {
        Self { first: Vec::new(), total: 0 }
    }
}

impl<T> FirstFew<T> {
    /// Adds an item: counts it, and keeps it if there is room.
    pub(crate) fn add(&mut self, one: T) {
        self.total += 1;
        if self.first.len() < MOST {
            self.first.push(one);
        }
    }
}

impl FirstFew<Skipped> {
    /// For a manifest, sorted by name; `others` describes the rest, after its number.
    pub(crate) fn into_skipped(mut self, others: &str) -> Vec<Skipped> {
        self.first.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let more = self.total - self.first.len();
        if more > 0 {
            self.first.push(Skipped { name: "…".to_owned(), reason: format!("{more} more {others}") });
        }
        self.first
    }
}

/// Left-out items for clients, shortened. The manifest has all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LeftOuts(FirstFew<LeftOut>);

impl LeftOuts {
    /// Those of all `sources`, in archive order.
    pub(crate) fn of(sources: &[SourceRecord]) -> Self {
        let mut left_outs = Self::default();
        for source in sources {
            for Skipped { name, reason } in &source.skipped {
                left_outs.add(&source.name, name, reason);
            }
        }
        left_outs
    }

    pub(crate) fn add(&mut self, source: &str, name: &str, reason: &str) {
        self.0.add(LeftOut { source: cut(source), name: cut(name), reason: cut(reason) });
    }

    /// The first items and the total number.
    pub(crate) fn into_parts(self) -> (Vec<LeftOut>, i64) {
        (self.0.first, self.0.total as i64)
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_archive::manifest::Snapshot;

    use super::*;

    fn record(skipped: usize) -> SourceRecord {
        let one = |at: usize| Skipped { name: format!("{at}{}", "é".repeat(300)), reason: "r".repeat(300) };
        SourceRecord {
            skipped: (0..skipped).map(one).collect(),
            ..SourceRecord::new("a", "sqlite", "", Snapshot::ReadTransaction)
        }
    }

    #[test]
    fn a_manifest_names_some_and_counts_the_rest() {
        let skipped = |count: usize| {
            let mut few = FirstFew::default();
            (0..count)
                .rev()
                .for_each(|at| few.add(Skipped { name: format!("{at:03}"), reason: String::new() }));
            few.into_skipped("files")
        };
        assert_eq!(skipped(MOST).len(), MOST);
        let some = skipped(MOST + 7);
        assert_eq!((some.len(), &*some[0].name, &*some[MOST].name), (MOST + 1, "007", "…"));
        assert_eq!(some[MOST].reason, "7 more files");
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let left_outs = LeftOuts::of(&[record(3), record(MOST)]);
        let (first, total) = left_outs.into_parts();
        assert_eq!((first.len(), total), (MOST, MOST as i64 + 3));
        let first = &first[0];
        assert_eq!((first.name.chars().count(), first.reason.chars().count()), (LONGEST + 1, LONGEST + 1));
    }
}
