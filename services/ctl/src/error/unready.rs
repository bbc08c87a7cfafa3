//! A service that is not ready, or not there.

use std::fmt;

/// At least one service cannot do its work now.
#[derive(Debug)]
pub(crate) struct Unready {
    /// Which one, and why.
    pub(crate) sentence: String,
    /// Whether one of them did not answer at all, which is worth a retry.
    pub(crate) is_away: bool,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Unready {}
