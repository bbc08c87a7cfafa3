//! The fields of an object that is read piece by piece. `serde` would accept a duplicate field.

use super::DocumentError;
use crate::quote::Quoted;

/// The fields of an object: each exactly once, and no others.
pub(super) struct Fields {
    /// The fields that are read as a whole, and the one that is streamed.
    whole: &'static [&'static str],
    streamed: &'static str,
    seen: Vec<&'static str>,
}

impl Fields {
    pub(super) fn new(whole: &'static [&'static str], streamed: &'static str) -> Self {
        Self { whole, streamed, seen: Vec::new() }
    }

    /// Whether this field is the streamed one; the error is a verb phrase about the object.
    pub(super) fn take(&mut self, key: &str) -> Result<bool, DocumentError> {
        let mut known = self.whole.iter().chain([&self.streamed]);
        let Some(field) = known.find(|field| **field == key) else {
            return Err(DocumentError::Form(format!("has the unknown field {}", Quoted(key))));
        };
        if self.seen.contains(field) {
            return Err(DocumentError::Form(format!("has the field {} twice", Quoted(key))));
        }
        self.seen.push(field);
        Ok(*field == self.streamed)
    }

    pub(super) fn finish(self) -> Result<(), DocumentError> {
        let mut all = self.whole.iter().chain([&self.streamed]);
        match all.find(|field| !self.seen.contains(field)) {
            Some(field) => Err(DocumentError::Form(format!("lacks the field {}", Quoted(field)))),
            None => Ok(()),
        }
    }
}
