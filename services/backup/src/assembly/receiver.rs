//! Receives an archive piece by piece from the thread that writes it.

use async_trait::async_trait;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Progress};

use crate::error::Result;

/// The receiver of one archive. While it does not take a piece, the sources wait; its error ends the archive.
#[async_trait]
pub(crate) trait Receiver: Send + Sync + 'static {
    /// All sources are open, and the first piece comes next.
    async fn begin(&self) -> Result<()>;

    /// The next piece of the file: numbered from 0, contiguous, each except the last of [`super::CHUNK_SIZE`] bytes.
    async fn chunk(&self, chunk: Chunk) -> Result<()>;

    /// The current progress.
    async fn progress(&self, progress: Progress) -> Result<()>;
}
