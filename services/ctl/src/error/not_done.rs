//! A service's answer that something it tried or planned is not done, although the call itself succeeded.

use std::fmt;

/// A backup, a restore or a drill that did not reach the requested result.
#[derive(Debug)]
pub(crate) struct NotDone {
    sentence: String,
    reason: String,
}

impl NotDone {
    /// `reason` is the service's stable reason, from its own field: text that a sentence quotes can come from an
    /// archive.
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
