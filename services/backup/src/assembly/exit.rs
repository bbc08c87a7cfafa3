//! The writer thread's calls to the receiver and the vault.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom_api::backup::v1::export_backup_response::{Chunk, Progress};
use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_archive::ManifestSignature;
use tokio_util::sync::CancellationToken;

use super::receiver::Receiver;
use crate::error::Result;
use crate::operation::Blocking;
use crate::vault_client::VaultClient;

/// Waits for async calls on a blocking thread, until `stop`.
pub(super) struct Exit {
    receiver: Arc<dyn Receiver>,
    vault: VaultClient,
    archive_id: String,
    blocking: Blocking,
    /// Microseconds spent waiting for the receiver.
    waited: AtomicU64,
}

impl Exit {
    /// Uses the runtime on which it is called.
    pub(super) fn create(
        receiver: Arc<dyn Receiver>,
        (vault, archive_id): (VaultClient, String),
        stop: CancellationToken,
    ) -> Self {
        Self { receiver, vault, archive_id, blocking: Blocking::create(stop), waited: AtomicU64::new(0) }
    }

    /// Blocks until the receiver has taken it.
    pub(super) fn send_progress(&self, progress: Progress) -> Result<()> {
        self.send(self.receiver.progress(progress))
    }

    fn send(&self, sending: impl Future<Output = Result<()>>) -> Result<()> {
        let began = Instant::now();
        let sent = self.blocking.wait(sending);
        self.waited.fetch_add(began.elapsed().as_micros() as u64, Ordering::Relaxed);
        sent
    }

    /// Time spent waiting for the receiver.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }

    /// Returns an error once the writer is told to stop.
    pub(super) fn check_stop(&self) -> Result<()> {
        self.blocking.check()
    }

    pub(super) fn send_chunk(&self, chunk: Chunk) -> std::io::Result<()> {
        Ok(self.send(self.receiver.chunk(chunk))?)
    }

    pub(super) fn sign(&self, manifest: &[u8], needs: Needs) -> std::io::Result<ManifestSignature> {
        Ok(self.blocking.wait(self.vault.sign_manifest(&self.archive_id, manifest, needs))?)
    }
}
