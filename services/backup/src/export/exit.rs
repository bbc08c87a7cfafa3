//! The way out of the writer's thread: to the client, and to the vault.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Message};
use strongroom_archive::ManifestSignature;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::operation::Outlet;
use crate::vault_client::VaultClient;

/// Waits for others on a thread that may block, until `stop`.
pub(super) struct Exit {
    outlet: Outlet<ExportBackupResponse>,
    vault: VaultClient,
    stop: CancellationToken,
    runtime: Handle,
    /// Microseconds spent waiting for the client.
    waited: AtomicU64,
}

impl Exit {
    /// For the runtime that this is called on.
    pub(super) fn create(
        outlet: Outlet<ExportBackupResponse>,
        vault: VaultClient,
        stop: CancellationToken,
    ) -> Self {
        Self { outlet, vault, stop, runtime: Handle::current(), waited: AtomicU64::new(0) }
    }

    /// Blocks until there is room. [`Error::ShuttingDown`] stands for `stop`.
    pub(super) fn send(&self, message: Message) -> Result<()> {
        let reply = ExportBackupResponse { message: Some(message) };
        let began = Instant::now();
        let sent = self.stop.run_until_cancelled(self.outlet.send(reply));
        let sent = self.runtime.block_on(sent).unwrap_or(Err(Error::ShuttingDown));
        self.waited.fetch_add(began.elapsed().as_micros() as u64, Ordering::Relaxed);
        sent
    }

    /// How long the client was waited for.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }

    /// [`Error::ShuttingDown`] once somebody wants the writer to stop.
    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(Error::ShuttingDown) } else { Ok(()) }
    }

    pub(super) fn send_chunk(&self, chunk: Chunk) -> std::io::Result<()> {
        Ok(self.send(Message::Chunk(chunk))?)
    }

    pub(super) fn sign(&self, manifest: &[u8]) -> std::io::Result<ManifestSignature> {
        let signed = self.stop.run_until_cancelled(self.vault.sign_manifest(manifest));
        Ok(self.runtime.block_on(signed).unwrap_or(Err(Error::ShuttingDown))?)
    }
}
