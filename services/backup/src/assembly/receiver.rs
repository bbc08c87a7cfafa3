//! What takes an archive, piece by piece, from the thread that writes it.

use async_trait::async_trait;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Progress};

use crate::error::Result;

/// The receiver of one archive. A piece that it does not take yet makes the sources wait; an error ends the archive.
#[async_trait]
pub(crate) trait Receiver: Send + Sync + 'static {
    /// All sources are open, and the first piece is about to come.
    async fn begin(&self) -> Result<()>;

    /// The next piece of the file: numbered from 0, contiguous, each but the last of [`super::CHUNK_SIZE`] bytes.
    async fn chunk(&self, chunk: Chunk) -> Result<()>;

    /// How far it is.
    async fn progress(&self, progress: Progress) -> Result<()>;
}
