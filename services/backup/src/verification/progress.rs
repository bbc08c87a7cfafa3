//! What a client hears while its archive is verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::{Message, Progress};

use crate::error::{Error, Result};
use crate::operation::Outlet;

/// Reports a verification's progress. Clones count together.
#[derive(Clone)]
pub(super) struct Reporter {
    outlet: Outlet<VerifyBackupResponse>,
    /// Values that the vault has answered for.
    values: Arc<AtomicI64>,
    stall: Duration,
    /// Milliseconds that the client was waited for.
    waited: Arc<AtomicU64>,
}

impl Reporter {
    /// With nothing done yet, to a client that is waited for no longer than `stall` in all.
    pub(super) fn create(outlet: Outlet<VerifyBackupResponse>, stall: Duration) -> Self {
        Self { outlet, values: Arc::default(), stall, waited: Arc::default() }
    }

    /// Waits until there is room for `message`. A client that reads only occasionally could hold its turn
    /// indefinitely, so the waiting is limited in total.
    ///
    /// # Errors
    /// Those of [`Outlet::send`], and [`Error::ClientTakesSlowly`].
    pub(super) async fn send(&self, message: Message) -> Result<()> {
        let began = Instant::now();
        self.outlet.send(VerifyBackupResponse { message: Some(message) }).await?;
        let now = began.elapsed().as_millis() as u64;
        let waited = self.waited.fetch_add(now, Ordering::Relaxed) + now;
        if u128::from(waited) > self.stall.as_millis() {
            return Err(Error::ClientTakesSlowly(self.stall.as_secs()));
        }
        Ok(())
    }

    /// Tells how many bytes have arrived.
    pub(super) fn received(&self, bytes: u64) {
        self.progress(Progress { bytes_received: bytes as i64, ..Progress::default() });
    }

    /// Reports progress, unless the client is slow.
    pub(super) fn progress(&self, progress: Progress) {
        let progress = Progress { values: self.values.load(Ordering::Relaxed), ..progress };
        self.outlet.offer(VerifyBackupResponse { message: Some(Message::Progress(progress)) });
    }

    /// Counts for the progress to come.
    pub(super) fn count_values(&self, answered: usize) {
        self.values.fetch_add(answered as i64, Ordering::Relaxed);
    }
}
