//! A command line that can be read, and makes no sense where it was given.

use std::fmt;

/// What is wrong with it, and what to write instead.
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
