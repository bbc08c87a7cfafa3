//! Sends an archive as the messages of `ExportBackup`: header, chunks with progress between them, trailer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_api::backup::v1::export_backup_response::{Chunk, Header, Message, Progress, Trailer};
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::telemetry::stage;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::assembly::{Assembled, Assembly, CHUNK_SIZE, Receiver, describe_summary};
use crate::error::Result;
use crate::metrics::Size;
use crate::operation::{Ended, Outlet};

/// One export.
pub(super) struct Stream {
    pub(super) assembly: Assembly,
    pub(super) outlet: Outlet<ExportBackupResponse>,
    /// Set once every byte of the archive has been sent to the client.
    pub(super) is_whole: Arc<AtomicBool>,
}

impl Stream {
    /// Sends the archive; its trailer is in the return value.
    pub(super) async fn send(self, stop: CancellationToken) -> Result<Ended<ExportBackupResponse>> {
        let Self { assembly, outlet, is_whole } = self;
        let archive_id = assembly.archive_id.clone();
        let client = Client { header: header(&assembly), outlet: outlet.clone() };
        let assembled = assembly.run(Arc::new(client), stop).await?;
        outlet.taken().instrument(stage("wait for client")).await?;
        is_whole.store(true, Ordering::Release);
        let summary = &assembled.summary;
        let size = Size { bytes: summary.file.bytes, rows: summary.rows };
        let (outcome, metadata) = (AuditOutcome::Success, describe_summary(summary));
        Ok(Ended { outcome, metadata, replies: vec![trailer(archive_id, assembled)], size })
    }
}

/// The client of an export, as a receiver of the archive.
struct Client {
    header: Header,
    outlet: Outlet<ExportBackupResponse>,
}

impl Client {
    async fn send(&self, message: Message) -> Result<()> {
        self.outlet.send(ExportBackupResponse { message: Some(message) }).await
    }
}

#[async_trait]
impl Receiver for Client {
    async fn begin(&self) -> Result<()> {
        self.send(Message::Header(self.header.clone())).await
    }

    async fn chunk(&self, chunk: Chunk) -> Result<()> {
        self.send(Message::Chunk(chunk)).await
    }

    async fn progress(&self, progress: Progress) -> Result<()> {
        self.send(Message::Progress(progress)).await
    }
}

fn header(assembly: &Assembly) -> Header {
    Header {
        archive_id: assembly.archive_id.clone(),
        file_name: assembly.file_name.clone(),
        create_time: Some(timestamp(assembly.time.as_microsecond())),
        chunk_size: CHUNK_SIZE as i64,
    }
}

fn trailer(archive_id: String, assembled: Assembled) -> ExportBackupResponse {
    let Assembled { summary, left_out, .. } = assembled;
    let (left_out, left_out_total) = left_out.into_parts();
    let trailer = Trailer {
        archive_id,
        size_bytes: summary.file.bytes,
        chunks: summary.file.chunks,
        sha256: summary.file.sha256,
        tables: summary.tables,
        rows: summary.rows,
        files: summary.files,
        left_out,
        left_out_total,
    };
    ExportBackupResponse { message: Some(Message::Trailer(trailer)) }
}
