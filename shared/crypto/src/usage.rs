//! Use of a key version in this process: two counters.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the values that a version sealed and opened, and the documents that it signed.
#[derive(Debug, Default)]
pub struct Usage {
    seals: AtomicU64,
    opens: AtomicU64,
}

impl Usage {
    /// Values sealed, and documents signed.
    #[must_use]
    pub fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Values opened. Values that failed to open are not counted.
    #[must_use]
    pub fn opens(&self) -> u64 {
        self.opens.load(Ordering::Relaxed)
    }

    pub(crate) fn sealed(&self) {
        self.seals.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn opened(&self) {
        self.opens.fetch_add(1, Ordering::Relaxed);
    }
}
