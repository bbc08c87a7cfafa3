//! A command line that can be parsed, but makes no sense in its context.

use std::fmt;

/// The error, and what to write instead.
#[derive(Debug)]
pub(crate) struct WrongUsage(&'static str);

impl WrongUsage {
    pub(crate) fn new(sentence: &'static str) -> Self {
        Self(sentence)
    }
}

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for WrongUsage {}
