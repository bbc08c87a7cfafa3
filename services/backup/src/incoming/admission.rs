//! Uploads at the same time: how many of one caller, and how much of the disk all of them take.
//!
//! A client decides how fast it sends, so that an upload holds nothing that another caller needs: verifications have
//! permits of their own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Uploads per caller, including those that wait for verification or are being verified. One token cannot take the
/// share of the others.
const PER_CALLER: usize = 2;

/// How uploads are limited.
pub(crate) struct UploadLimits {
    /// The largest file, in bytes.
    pub(crate) bytes: u64,
    /// Bytes of all files together, as far as they have arrived.
    pub(crate) staged_bytes: u64,
    /// Where files are staged.
    pub(crate) staging_dir: PathBuf,
}

/// All uploads of this process.
pub(crate) struct Uploads {
    limits: UploadLimits,
    /// How many each caller has, by its id. Who has none is not in it.
    callers: Mutex<HashMap<String, usize>>,
    staged: AtomicU64,
}

/// Permission to send a file. Dropping it gives back its place and its room on the disk.
pub(crate) struct Slot {
    uploads: Arc<Uploads>,
    caller: String,
    staged: AtomicU64,
}

impl Uploads {
    /// With none going on.
    pub(crate) fn create(limits: UploadLimits) -> Self {
        Self { limits, callers: Mutex::default(), staged: AtomicU64::new(0) }
    }

    /// A place for one more of `caller`.
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

    /// What all of them have on the disk now.
    pub(crate) fn staged_bytes(&self) -> u64 {
        self.staged.load(Ordering::Relaxed)
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// How its file is limited.
    pub(crate) fn limits(&self) -> &UploadLimits {
        &self.uploads.limits
    }

    /// Takes room on the disk for `bytes` that have arrived.
    ///
    /// # Errors
    /// [`Error::StagingBusy`] when all uploads together have more than they may.
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
