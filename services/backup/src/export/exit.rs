//! The way out of the writer's thread: to the client, and to the vault.

use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Message};
use strongroom_archive::ManifestSignature;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::operation::{Blocking, Outlet};
use crate::vault_client::VaultClient;

/// Waits for others on a thread that may block, until `stop`.
pub(super) struct Exit {
    outlet: Outlet<ExportBackupResponse>,
    vault: VaultClient,
    blocking: Blocking,
}

impl Exit {
    /// For the runtime that this is called on.
    pub(super) fn create(
        outlet: Outlet<ExportBackupResponse>,
        vault: VaultClient,
        stop: CancellationToken,
    ) -> Self {
        Self { outlet, vault, blocking: Blocking::create(stop) }
    }

    /// Blocks until there is room.
    pub(super) fn send(&self, message: Message) -> Result<()> {
        let reply = ExportBackupResponse { message: Some(message) };
        self.blocking.wait(self.outlet.send(reply))
    }

    /// An error once somebody wants the writer to stop.
    pub(super) fn check_stop(&self) -> Result<()> {
        self.blocking.check()
    }

    pub(super) fn send_chunk(&self, chunk: Chunk) -> std::io::Result<()> {
        Ok(self.send(Message::Chunk(chunk))?)
    }

    pub(super) fn sign(&self, manifest: &[u8]) -> std::io::Result<ManifestSignature> {
        Ok(self.blocking.wait(self.vault.sign_manifest(manifest))?)
    }
}
