//! A process's knowledge of the log's end between two changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use strongroom_store::Error;

use super::{AuditHead, ChainKey, unwritable};

/// The key that chains events, and the head after this process's last batch of uses.
#[derive(Default)]
pub(in crate::store) struct LogTail {
    /// `None` until the ring is open.
    key: RwLock<Option<ChainKey>>,
    head: Mutex<AuditHead>,
    failures: Failures,
}

/// Counts failures to write the log. Clones share the count.
#[derive(Clone, Default)]
pub(in crate::store) struct Failures(Arc<AtomicU64>);

impl Failures {
    /// Counts the error, and returns it as a failure of the log.
    pub(in crate::store) fn unwritable(&self, source: Error) -> Error {
        self.0.fetch_add(1, Ordering::Relaxed);
        unwritable(source)
    }

    pub(in crate::store) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl LogTail {
    pub(in crate::store) fn set_key(&self, key: ChainKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    pub(in crate::store) fn key(&self) -> Option<ChainKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::store) fn failures(&self) -> &Failures {
        &self.failures
    }

    pub(in crate::store) fn set_head(&self, head: AuditHead) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// The remembered head. Another process, or a change in this one, may have appended events since.
    pub(in crate::store) fn head(&self) -> AuditHead {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
