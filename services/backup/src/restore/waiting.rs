//! Restores that this process cannot bring to their end now: for the gauge, and so for the alert.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Their ids.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeSet<String>>);

impl Waiting {
    pub(super) fn add(&self, restore: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(restore.to_owned());
    }

    pub(super) fn remove(&self, restore: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(restore);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
