//! What a client hears while its archive is verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::{Message, Progress};

use crate::error::Result;
use crate::operation::Outlet;

/// Tells how far the verification is. Clones count together.
#[derive(Clone)]
pub(super) struct Reporter {
    outlet: Outlet<VerifyBackupResponse>,
    /// Values that the vault has answered for.
    values: Arc<AtomicI64>,
}

impl Reporter {
    /// With nothing done yet.
    pub(super) fn create(outlet: Outlet<VerifyBackupResponse>) -> Self {
        Self { outlet, values: Arc::default() }
    }

    /// Waits until there is room for `message`.
    ///
    /// # Errors
    /// Those of [`Outlet::send`].
    pub(super) async fn send(&self, message: Message) -> Result<()> {
        self.outlet.send(VerifyBackupResponse { message: Some(message) }).await
    }

    /// Tells how many bytes have arrived.
    pub(super) fn received(&self, bytes: u64) {
        self.progress(Progress { bytes_received: bytes as i64, ..Progress::default() });
    }

    /// Tells how far it is, unless the client is slow.
    pub(super) fn progress(&self, progress: Progress) {
        let progress = Progress { values: self.values.load(Ordering::Relaxed), ..progress };
        self.outlet.offer(VerifyBackupResponse { message: Some(Message::Progress(progress)) });
    }

    /// Counts for the progress to come.
    pub(super) fn count_values(&self, answered: usize) {
        self.values.fetch_add(answered as i64, Ordering::Relaxed);
    }
}
