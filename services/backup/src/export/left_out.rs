//! What is not in an archive although its sources have it: the client prints it, because nobody reads a manifest after
//! an export that went well.

use strongroom_api::backup::v1::LeftOut;
use strongroom_archive::manifest::{Skipped, SourceRecord};

/// How much a client is told, piece by piece; the rest is counted. The manifest has all of it.
const MOST: usize = 100;
/// Longest text, in characters.
const LONGEST: usize = 200;
/// Files that went during an export and are named, by set; the others are counted.
const MOST_GONE: usize = 100;

/// The first of them, and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LeftOuts {
    pub(crate) first: Vec<LeftOut>,
    pub(crate) total: u64,
}

impl LeftOuts {
    /// Of all `sources`, in archive order.
    pub(crate) fn of(sources: &[SourceRecord]) -> Self {
        let mut left_outs = Self::default();
        for source in sources {
            for Skipped { name, reason } in &source.skipped {
                left_outs.add(&source.name, name, reason);
            }
        }
        left_outs
    }

    pub(super) fn add(&mut self, source: &str, name: &str, reason: &str) {
        self.total += 1;
        if self.first.len() < MOST {
            self.first.push(LeftOut { source: cut(source), name: cut(name), reason: cut(reason) });
        }
    }
}

/// Files of a set that went between the listing and the reading.
#[derive(Debug, Default)]
pub(super) struct Gone {
    names: Vec<String>,
    more: u64,
}

impl Gone {
    pub(super) fn add(&mut self, path: &str) {
        if self.names.len() < MOST_GONE {
            self.names.push(path.to_owned());
        } else {
            self.more += 1;
        }
    }

    /// Names them in `record`.
    pub(super) fn record(self, record: &mut SourceRecord) {
        const REASON: &str = "removed after the directory was listed";
        record.skipped.extend(self.names.into_iter().map(|name| Skipped { name, reason: REASON.to_owned() }));
        if self.more > 0 {
            let reason = format!("{} more files, {REASON}", self.more);
            record.skipped.push(Skipped { name: "…".to_owned(), reason });
        }
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
            name: "a".to_owned(),
            kind: "sqlite".to_owned(),
            engine: String::new(),
            snapshot: Snapshot::ReadTransaction,
            skipped: (0..skipped).map(one).collect(),
        }
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let left_outs = LeftOuts::of(&[record(3), record(MOST)]);
        assert_eq!((left_outs.first.len(), left_outs.total), (MOST, MOST as u64 + 3));
        let first = &left_outs.first[0];
        assert_eq!((first.name.chars().count(), first.reason.chars().count()), (LONGEST + 1, LONGEST + 1));
    }

    #[test]
    fn files_that_went_are_named_and_the_rest_counted() {
        let mut gone = Gone::default();
        (0..MOST_GONE + 7).for_each(|at| gone.add(&at.to_string()));
        let mut record = record(0);
        gone.record(&mut record);
        assert_eq!(record.skipped.len(), MOST_GONE + 1);
        assert!(record.skipped[MOST_GONE].reason.starts_with("7 more files"), "{:?}", record.skipped[MOST_GONE]);
    }
}
