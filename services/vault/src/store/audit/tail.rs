//! What a process knows of the log's end between two changes.

use std::sync::{Mutex, PoisonError, RwLock};

use super::{AuditHead, ChainKey};

/// The key that chains events, and where this process's last batch of uses left the log.
#[derive(Default)]
pub(in crate::store) struct LogTail {
    /// `None` until the ring is open.
    key: RwLock<Option<ChainKey>>,
    head: Mutex<AuditHead>,
}

impl LogTail {
    pub(in crate::store) fn set_key(&self, key: ChainKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    pub(in crate::store) fn key(&self) -> Option<ChainKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::store) fn set_head(&self, head: AuditHead) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// Another process, or a change in this one, may have appended since.
    pub(in crate::store) fn head(&self) -> AuditHead {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
