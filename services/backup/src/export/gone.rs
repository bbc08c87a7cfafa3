//! Files that went between the listing and the reading: they are left out, and named in the manifest.

use strongroom_archive::manifest::{Skipped, SourceRecord};

/// How many are named; the others are counted.
const MOST_GONE: usize = 100;

/// Those of one set.
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

#[cfg(test)]
mod tests {
    use strongroom_archive::manifest::Snapshot;

    use super::*;

    #[test]
    fn files_that_went_are_named_and_the_rest_counted() {
        let mut gone = Gone::default();
        (0..MOST_GONE + 7).for_each(|at| gone.add(&at.to_string()));
        let mut record = SourceRecord {
            name: "recs".to_owned(),
            kind: "files".to_owned(),
            engine: String::new(),
            snapshot: Snapshot::PerFile,
            skipped: Vec::new(),
        };
        gone.record(&mut record);
        assert_eq!(record.skipped.len(), MOST_GONE + 1);
        assert!(
            record.skipped[MOST_GONE].reason.starts_with("7 more files"),
            "{:?}",
            record.skipped[MOST_GONE]
        );
    }
}
