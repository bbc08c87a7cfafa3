//! What is not in an archive although its sources have it: clients print it after an export and a verification,
//! because nobody reads the manifest of an archive that is fine.

use strongroom_api::backup::v1::LeftOut;
use strongroom_archive::manifest::{Skipped, SourceRecord};

/// How much a client is told, piece by piece; the rest is counted. The manifest has all of it.
const MOST: usize = 100;
/// Longest text, in characters.
const LONGEST: usize = 200;

/// The first of them, and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LeftOuts {
    pub(crate) first: Vec<LeftOut>,
    pub(crate) total: i64,
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

    pub(crate) fn add(&mut self, source: &str, name: &str, reason: &str) {
        self.total += 1;
        if self.first.len() < MOST {
            self.first.push(LeftOut { source: cut(source), name: cut(name), reason: cut(reason) });
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
        assert_eq!((left_outs.first.len(), left_outs.total), (MOST, MOST as i64 + 3));
        let first = &left_outs.first[0];
        assert_eq!((first.name.chars().count(), first.reason.chars().count()), (LONGEST + 1, LONGEST + 1));
    }
}
