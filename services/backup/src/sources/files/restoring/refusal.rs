//! The reasons to refuse the restore of a file set, each with its name and remedy.

use strongroom_archive::manifest::TruePath;

/// Maximum number of refusals that are kept.
const MOST: usize = 100;

/// A reason to refuse a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRefusal {
    /// A stable name for programs.
    pub reason: &'static str,
    /// The problem, its cause and the remedy.
    pub message: String,
    /// The path below the set, for display; empty if it concerns the whole set.
    pub path: String,
}

/// The first hundred, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<FilesRefusal>);

impl Refusals {
    /// Adds a reason that concerns the whole set.
    pub(super) fn add(&mut self, reason: &'static str, message: String) {
        self.push(FilesRefusal { reason, message, path: String::new() });
    }

    /// Adds a reason that concerns one path; the message continues after `"path" `.
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
