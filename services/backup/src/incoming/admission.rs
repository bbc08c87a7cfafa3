//! Limits concurrent uploads: the number per caller, and the disk space of all together.
//!
//! A client decides how fast it sends, so an upload holds nothing that another caller needs: verifications have permits
//! of their own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Uploads per caller, including those waiting for verification or being verified, so that one token cannot take the
/// share of the others.
const PER_CALLER: usize = 2;

/// The limits of uploads.
pub(crate) struct UploadLimits {
    /// Maximum size of a file, in bytes.
    pub(crate) bytes: u64,
    /// Maximum number of received bytes of all files together.
    pub(crate) staged_bytes: u64,
    /// The folder in which files are staged.
    pub(crate) staging_dir: PathBuf,
}

/// All uploads of this process.
pub(crate) struct Uploads {
    limits: UploadLimits,
    /// Number of uploads by caller id. Callers without uploads have no entry.
    callers: Mutex<HashMap<String, usize>>,
    staged: AtomicU64,
}

/// Permission to upload a file. Dropping it returns its slot and its disk space.
pub(crate) struct Slot {
    uploads: Arc<Uploads>,
    caller: String,
    staged: AtomicU64,
}

impl Uploads {
    pub(crate) fn create(limits: UploadLimits) -> Self {
        Self { limits, callers: Mutex::default(), staged: AtomicU64::new(0) }
    }

    /// A slot for one more upload of `caller`.
    ///
    /// # Errors
    /// [`Error::CallerBusy`].
    pub(crate) fn admit(self: &Arc<Self>, caller: &str) -> Result<Slot> {
        let mut callers = self.callers();
        let count = callers.entry(caller.to_owned()).or_default();
        if *count >= PER_CALLER {
            return Err(Error::CallerBusy(PER_CALLER));
        }
        *count += 1;
        Ok(Slot { uploads: Arc::clone(self), caller: caller.to_owned(), staged: AtomicU64::new(0) })
    }

    /// Number of bytes that all uploads have on the disk now.
    pub(crate) fn staged_bytes(&self) -> u64 {
        self.staged.load(Ordering::Relaxed)
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The limits of its file.
    pub(crate) fn limits(&self) -> &UploadLimits {
        &self.uploads.limits
    }

    /// Reserves disk space for `bytes` that have arrived.
    ///
    /// # Errors
    /// [`Error::StagingBusy`] if all uploads together exceed their limit.
    pub(super) fn stage(&self, bytes: u64) -> Result<()> {
        self.staged.fetch_add(bytes, Ordering::Relaxed);
        let before = self.uploads.staged.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.uploads.limits.staged_bytes {
            return Err(Error::StagingBusy(self.uploads.limits.staged_bytes));
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.uploads.staged.fetch_sub(*self.staged.get_mut(), Ordering::Relaxed);
        let mut callers = self.uploads.callers();
        if let Some(count) = callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn uploads() -> Arc<Uploads> {
        let limits = UploadLimits { bytes: 100, staged_bytes: 100, staging_dir: PathBuf::new() };
        Arc::new(Uploads::create(limits))
    }

    #[test]
    fn a_caller_has_two_places_and_another_one_has_two_more() {
        let uploads = uploads();
        let first = uploads.admit("a").unwrap();
        let _second = uploads.admit("a").unwrap();
        assert!(matches!(uploads.admit("a"), Err(Error::CallerBusy(2))));
        let other = uploads.admit("b").unwrap();
        drop(first);
        let _third = uploads.admit("a").unwrap();
        drop(other);
        assert_eq!(uploads.callers().keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn room_on_the_disk_is_given_back_whole_after_a_refusal_too() {
        let uploads = uploads();
        let first = uploads.admit("a").unwrap();
        first.stage(60).unwrap();
        let second = uploads.admit("b").unwrap();
        second.stage(40).unwrap();
        assert!(matches!(second.stage(1), Err(Error::StagingBusy(100))));
        drop(second);
        first.stage(40).unwrap();
        drop(first);
        assert_eq!(uploads.staged.load(Ordering::Relaxed), 0);
    }
}
