//! The bridge between readers, which are async, and the archive writer, which blocks.
//!
//! One blocking thread compresses, seals, hashes and cuts; bounded channels on both sides keep memory constant and let
//! a slow receiver slow down the database. A table's blocks end when their channel closes. The manifest is written only
//! after an explicit step of the feeder, so an archive is never completed after an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::export_backup_response::Progress;
use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_archive::manifest::Skipped;
use strongroom_archive::schema::{DatabaseSchema, TableSchema};
use strongroom_archive::{ArchiveWriter, Compression, Limits, ManifestHead};
use strongroom_runtime::telemetry::stage;
use strongroom_tables::Block;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::chunk::{ChunkWriter, FileSummary};
use super::envelope::Envelope;
use super::exit::Exit;
use super::files::{self, GONE};
use super::progress::Reporter;
use super::receiver::Receiver;
use crate::error::{Error, Result};
use crate::left_out::{FirstFew, LeftOuts};
use crate::metrics::ExportMetrics;
use crate::seal::Seal;
use crate::sources::FileSet;
use crate::vault_client::VaultClient;

/// Number of blocks that can wait for the writer, about 128 KiB each.
const BLOCKS: usize = 4;

/// The written archive.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) file: FileSummary,
    /// Number of tables.
    pub(crate) tables: i64,
    /// Number of rows of all tables.
    pub(crate) rows: i64,
    /// Number of rows by the table's name in the archive.
    pub(crate) table_rows: BTreeMap<String, i64>,
    /// Number of rows of all tables except the vault's.
    pub(crate) rows_beside_vault: i64,
    /// Number of files of all file sets.
    pub(crate) files: i64,
    /// SHA-256 of its canary, lower-case hex.
    pub(crate) canary_sha256: String,
    /// Items of the sources that the archive leaves out.
    pub(super) left_out: LeftOuts,
}

enum Step {
    Table { schema: Box<TableSchema>, since: Option<Timestamp>, blocks: mpsc::Receiver<Block> },
    Database(Box<DatabaseSchema>),
    LargeObject { source: String, oid: u32, pieces: mpsc::Receiver<Bytes> },
    Files(Arc<FileSet>),
    Finish { end: Box<ArchiveEnd> },
}

/// The last entries of an archive.
pub(crate) struct ArchiveEnd {
    /// The key ring, wrapped by the root key.
    pub(crate) ring: Vec<u8>,
    /// The document of schedules, if there are any.
    pub(crate) schedules: Option<Vec<u8>>,
    /// The manifest's head.
    pub(crate) head: ManifestHead,
    /// Key versions that the archive needs.
    pub(crate) needs: Needs,
}

/// The parameters of writing an archive.
pub(crate) struct Shape {
    /// Compression level of deflate.
    pub(crate) compression: Compression,
    /// `None` for a plain archive.
    pub(crate) seal: Option<Arc<Seal>>,
    /// Expected number of tables.
    pub(crate) tables: usize,
    /// Expected number of files.
    pub(crate) files: usize,
    /// Sums up the time per stage.
    pub(crate) metrics: ExportMetrics,
}

/// The feeder's end of a running writer.
pub(crate) struct Pipeline {
    steps: mpsc::Sender<Step>,
    writer: JoinHandle<Result<Summary>>,
    stop: CancellationToken,
}

impl Pipeline {
    /// Starts the writer. It passes its chunks to `receiver` until `stop`, and has the vault sign the manifest of the
    /// archive with the id in `signer`.
    pub(crate) fn start(
        receiver: Arc<dyn Receiver>,
        signer: (VaultClient, String),
        stop: CancellationToken,
        shape: Shape,
    ) -> Self {
        let (steps, received) = mpsc::channel(1);
        let exit = Exit::create(receiver, signer, stop.clone());
        let span = stage("write archive");
        let writer = tokio::task::spawn_blocking(move || span.in_scope(|| write(received, &exit, &shape)));
        Self { steps, writer, stop }
    }

    /// Begins a table; its blocks go into the returned channel, and closing the channel ends the table. With `since`,
    /// older rows are left out.
    ///
    /// # Errors
    /// [`Error::ClientLeft`] as a stand-in when the writer has failed: [`Self::cause`] has the real error.
    pub(crate) async fn start_table(
        &self,
        schema: TableSchema,
        since: Option<Timestamp>,
    ) -> Result<mpsc::Sender<Block>> {
        let (sender, blocks) = mpsc::channel(BLOCKS);
        self.step(Step::Table { schema: Box::new(schema), since, blocks }).await?;
        Ok(sender)
    }

    /// Begins a large object; its bytes go into the returned channel, and closing the channel ends the object.
    ///
    /// # Errors
    /// As for [`Self::start_table`].
    pub(crate) async fn start_large_object(&self, source: &str, oid: u32) -> Result<mpsc::Sender<Bytes>> {
        let (sender, pieces) = mpsc::channel(1);
        self.step(Step::LargeObject { source: source.to_owned(), oid, pieces }).await?;
        Ok(sender)
    }

    /// Writes the contents of a database other than tables.
    ///
    /// # Errors
    /// As for [`Self::start_table`].
    pub(crate) async fn write_database(&self, database: DatabaseSchema) -> Result<()> {
        self.step(Step::Database(Box::new(database))).await
    }

    /// Has all files of a set read and written. [`Self::finish`] waits for them.
    ///
    /// # Errors
    /// As for [`Self::start_table`].
    pub(crate) async fn write_files(&self, files: Arc<FileSet>) -> Result<()> {
        self.step(Step::Files(files)).await
    }

    async fn step(&self, step: Step) -> Result<()> {
        self.steps.send(step).await.map_err(|_| Error::ClientLeft)
    }

    /// Writes the ring, the manifest and the end of the file.
    ///
    /// # Errors
    /// The writer's error.
    pub(crate) async fn finish(self, end: ArchiveEnd) -> Result<Summary> {
        // If sending fails, the writer has failed, and its own error says more.
        let _ = self.steps.send(Step::Finish { end: Box::new(end) }).await;
        joined(self.writer.await)
    }

    /// Stops the writer and returns the reason why an export failed. The writer's own error takes precedence: then the
    /// feeder's `error` is only its consequence.
    pub(crate) async fn cause(self, error: Error) -> Error {
        self.stop.cancel();
        drop(self.steps);
        match joined(self.writer.await) {
            Err(own) if !matches!(own, Error::ShuttingDown) => own,
            _ => error,
        }
    }
}

fn joined(ended: Result<Result<Summary>, tokio::task::JoinError>) -> Result<Summary> {
    ended.unwrap_or_else(|error| Err(Error::Defect(format!("the archive writer died: {error}"))))
}

fn write(steps: mpsc::Receiver<Step>, exit: &Exit, shape: &Shape) -> Result<Summary> {
    let (began, mut read) = (Instant::now(), Duration::ZERO);
    let written = write_steps(steps, exit, shape, &mut read);
    shape.metrics.stages(began.elapsed(), read, exit.waited());
    written
}

/// The next item of `receiver`; the waiting time is added to `read`.
fn next<T>(receiver: &mut mpsc::Receiver<T>, read: &mut Duration) -> Option<T> {
    let began = Instant::now();
    let next = receiver.blocking_recv();
    *read += began.elapsed();
    next
}

fn write_steps(
    mut steps: mpsc::Receiver<Step>,
    exit: &Exit,
    shape: &Shape,
    read: &mut Duration,
) -> Result<Summary> {
    let chunks = ChunkWriter::create(|chunk| exit.send_chunk(chunk));
    let envelope = Envelope::create(chunks, shape.seal.as_deref())?;
    let mut archive = ArchiveWriter::create(envelope, Limits::V1, shape.compression);
    let mut reporter = Reporter::create(exit, shape.tables, shape.files);
    let mut gone: Vec<(String, FirstFew<Skipped>)> = Vec::new();
    while let Some(step) = next(&mut steps, read) {
        match step {
            Step::Table { schema, since, mut blocks } => {
                archive.write_schema(&schema)?;
                archive.start_table(&schema, since)?;
                reporter.begin_table(&schema.name)?;
                while let Some(block) = next(&mut blocks, read) {
                    archive.write_rows(&block.bytes, block.rows)?;
                    reporter.count(block.rows)?;
                }
                archive.finish_table()?;
                reporter.end_table(&schema.source)?;
            }
            Step::Database(database) => archive.write_database(&database)?,
            Step::LargeObject { source, oid, mut pieces } => {
                archive.start_large_object(&source, oid)?;
                while let Some(piece) = next(&mut pieces, read) {
                    archive.write(&piece)?;
                    reporter.step()?;
                }
                archive.finish_entry()?;
            }
            Step::Files(set) => {
                let removed = files::write_set(&mut archive, &set, &mut reporter)?;
                gone.push((set.name().to_owned(), removed));
            }
            Step::Finish { end } => {
                let ArchiveEnd { ring, schedules, mut head, needs } = *end;
                record_gone(gone, &mut head);
                let left_out = LeftOuts::of(&head.sources);
                let canary = canary();
                let canary_sha256 = hex::encode(Sha256::digest(&canary));
                archive.write_canary(&canary)?;
                archive.write_ring(&ring)?;
                if let Some(schedules) = schedules {
                    archive.write_schedules(&schedules)?;
                }
                let (_, envelope) = archive.finish_signed(head, |manifest| exit.sign(manifest, needs))?;
                let file = envelope.finish()?.finish().map_err(strongroom_archive::Error::Sink)?;
                let (Progress { tables_done, rows, files_done, .. }, counts) = reporter.into_counts();
                return Ok(Summary {
                    file,
                    tables: tables_done,
                    rows,
                    table_rows: counts.by_table,
                    rows_beside_vault: counts.beside_vault,
                    files: files_done,
                    canary_sha256,
                    left_out,
                });
            }
        }
    }
    Err(Error::ShuttingDown)
}

/// A text that no other archive contains: knowing it proves that this archive was opened.
fn canary() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("every supported operating system has a random source");
    hex::encode(bytes)
}

/// The manifest is written last, so it can report removed files.
fn record_gone(gone: Vec<(String, FirstFew<Skipped>)>, head: &mut ManifestHead) {
    for (set, removed) in gone {
        if let Some(record) = head.sources.iter_mut().find(|record| record.name == set) {
            record.skipped.extend(removed.into_skipped(&format!("files, {GONE}")));
        }
    }
}
