//! The backup service's answers, collected from its stream: received in one place, printed in another.

use strongroom_api::backup::v1::verify_backup_response::{Column, Entry, Verdict};

/// All answers.
pub(super) struct Answers {
    pub(super) verdict: Verdict,
    pub(super) columns: Vec<Column>,
    /// Entries that differ from the manifest.
    pub(super) bad_entries: Vec<Entry>,
}
