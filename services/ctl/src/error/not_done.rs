//! What a service has tried, or planned, and answers that it is not done: the call itself succeeded.

use std::fmt;

/// A backup, a restore or a drill that has not come to what was asked for.
#[derive(Debug)]
pub(crate) struct NotDone {
    sentence: String,
    reason: String,
}

impl NotDone {
    /// `reason` is the service's, stable, in a field of its own: what a sentence quotes may come from an archive.
    pub(crate) fn new(sentence: impl Into<String>, reason: &str) -> Self {
        Self { sentence: sentence.into(), reason: reason.to_owned() }
    }

    /// The stable reason; empty when the service gave none.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for NotDone {}
