//! State of the certificates in use, cheap to read: for metrics and pages.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

/// State of a listener's certificates.
#[derive(Debug, Default)]
pub struct State {
    /// 0 means no certificate.
    not_after: AtomicI64,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    last_error: ArcSwapOption<String>,
}

impl State {
    /// Expiry of the certificate in use, in seconds since 1970; `None` without a certificate.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        Some(self.not_after.load(Ordering::Relaxed)).filter(|seconds| *seconds != 0)
    }

    /// How often changed files were loaded since the start.
    #[must_use]
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often changed files could not be used.
    #[must_use]
    pub fn failed_reloads(&self) -> u64 {
        self.failed_reloads.load(Ordering::Relaxed)
    }

    /// Why the newest files are not in use; `None` while they are.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.last_error.load().as_deref().cloned()
    }

    pub(super) fn of(not_after: Option<i64>) -> Self {
        Self { not_after: AtomicI64::new(not_after.unwrap_or(0)), ..Self::default() }
    }

    pub(super) fn reloaded(&self, not_after: Option<i64>) {
        self.not_after.store(not_after.unwrap_or(0), Ordering::Relaxed);
        self.reloads.fetch_add(1, Ordering::Relaxed);
        self.last_error.store(None);
    }

    pub(super) fn failed(&self, error: String) {
        self.failed_reloads.fetch_add(1, Ordering::Relaxed);
        self.last_error.store(Some(error.into()));
    }
}
