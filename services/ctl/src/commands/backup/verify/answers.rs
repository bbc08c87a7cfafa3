//! What the backup service answered, gathered from its stream: received in one place, printed in another.

use strongroom_api::backup::v1::verify_backup_response::{Column, Entry, Verdict};

/// Everything that came back.
pub(super) struct Answers {
    pub(super) verdict: Verdict,
    pub(super) columns: Vec<Column>,
    /// Entries that are not as the manifest says.
    pub(super) bad_entries: Vec<Entry>,
}
