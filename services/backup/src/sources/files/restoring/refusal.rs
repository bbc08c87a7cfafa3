//! What stands against the restore of a file set, each by name and with the remedy.

use strongroom_archive::manifest::TruePath;

/// How many are named.
const MOST: usize = 100;

/// Something that stands against a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRefusal {
    /// A stable name for programs.
    pub reason: &'static str,
    /// What, why and what helps.
    pub message: String,
    /// The path below the set, for people; empty where it is about the whole set.
    pub path: String,
}

/// In the order in which they were found, the first hundred.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<FilesRefusal>);

impl Refusals {
    /// About the whole set.
    pub(super) fn add(&mut self, reason: &'static str, message: String) {
        self.push(FilesRefusal { reason, message, path: String::new() });
    }

    /// About one path; the message goes on where `"path" ` ends.
    pub(super) fn add_at(&mut self, reason: &'static str, path: &TruePath, message: &str) {
        let path = path.to_string_lossy().into_owned();
        self.push(FilesRefusal { reason, message: format!("{path:?} {message}"), path });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_inner(self) -> Vec<FilesRefusal> {
        self.0
    }

    fn push(&mut self, refusal: FilesRefusal) {
        if self.0.len() < MOST {
            self.0.push(refusal);
        }
    }
}
