//! One export: from its snapshots to the manifest that is written last.
//!
//! The order inside: all snapshots are opened, the ring is fetched, tables are read, the manifest is signed, the
//! client takes the rest.

use std::sync::Arc;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_api::backup::v1::export_backup_response::{Header, Message, Trailer};
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::{Compression, ManifestHead};
use strongroom_runtime::Clock;
use tokio_util::sync::CancellationToken;

use super::census::Census;
use super::chunk::CHUNK_SIZE;
use super::event::describe_summary;
use super::pipeline::{Pipeline, Shape, Summary};
use super::plan::Plan;
use crate::config::AppConfig;
use crate::error::{Error, Result};
use crate::operation::{Ended, Outlet};
use crate::seal::{Seal, SealPolicy};
use crate::sources::{OpenSource, Sources, check_unique};
use crate::vault_client::{KeyRing, VaultClient};

/// What all exports of a process use.
pub(crate) struct ExportContext {
    /// Whose data this is.
    pub(crate) app: AppConfig,
    /// The server's own recipients.
    pub(crate) policy: SealPolicy,
    /// What is read.
    pub(crate) sources: Arc<Sources>,
    /// Signs manifests, hands out the ring, takes the census.
    pub(crate) vault: VaultClient,
    /// Deflate's effort.
    pub(crate) compression: Compression,
    /// Dates archives.
    pub(crate) clock: Arc<dyn Clock>,
}

/// One export.
pub(super) struct Export {
    pub(super) context: Arc<ExportContext>,
    pub(super) plan: Plan,
    pub(super) seal: Option<Arc<Seal>>,
    pub(super) archive_id: String,
    pub(super) file_name: String,
    pub(super) time: Timestamp,
}

impl Export {
    /// Sends the archive to `outlet`; its trailer is in what is returned.
    pub(super) async fn assemble(
        self,
        outlet: Outlet<ExportBackupResponse>,
        stop: CancellationToken,
    ) -> Result<Ended<ExportBackupResponse>> {
        let open = self.open_sources().await?;
        let vault = &self.context.vault;
        let ring = vault.key_ring().await?;
        let mut head = self.manifest_head(&open, &ring).await?;
        outlet.send(self.header()).await?;
        let pipeline = Pipeline::start(outlet.clone(), vault.clone(), stop, self.shape(&open));
        let summary = match feed(&pipeline, open).await {
            Ok(Fed { rows, census }) => {
                census.complete(&mut head.kids, &ring);
                census.report(vault, &ring, self.time.as_microsecond()).await;
                check_rows(pipeline.finish(ring.json, head).await?, rows)?
            }
            Err(error) => return Err(pipeline.cause(error).await),
        };
        outlet.taken().await?;
        let (archive_id, bytes, rows) = (self.archive_id.as_str(), summary.file.bytes, summary.rows);
        tracing::info!(archive_id, bytes, rows, "an archive was taken by its client");
        let (outcome, metadata) = (AuditOutcome::Success, describe_summary(&summary));
        Ok(Ended { outcome, metadata, replies: vec![self.trailer(summary)] })
    }

    /// Opens all snapshots at once and before anything is read, so that they lie close together.
    async fn open_sources(&self) -> Result<Vec<OpenSource>> {
        let sources = self.context.sources.all();
        let reads = self.plan.reads.iter();
        let open = try_join_all(reads.map(|(at, choice)| sources[*at].open(choice))).await?;
        let names = open.iter().flat_map(|source| source.tables());
        check_unique(names.map(|table| (table.source.as_str(), table.name.as_str())))?;
        Ok(open)
    }

    async fn manifest_head(&self, open: &[OpenSource], ring: &KeyRing) -> Result<ManifestHead> {
        let mut kids: Vec<String> = open.iter().flat_map(|source| source.kids()).cloned().collect();
        kids.sort();
        kids.dedup();
        let app = &self.context.app;
        Ok(ManifestHead {
            app_name: app.name.clone(),
            app_url: app.url.clone(),
            created_at: self.time,
            options: self.plan.options.clone(),
            archive_id: self.archive_id.clone(),
            producer: concat!("strongroom-backup ", env!("CARGO_PKG_VERSION")).to_owned(),
            root_key_id: Some(ring.root_key_id.clone()),
            kids,
            encrypted_columns: open.iter().flat_map(|source| source.encrypted()).cloned().collect(),
            audit_head: self.context.vault.audit_head().await?,
            sources: open.iter().map(|source| source.record().clone()).collect(),
            partial: self.plan.partial.clone(),
        })
    }

    fn shape(&self, open: &[OpenSource]) -> Shape {
        let tables = open.iter().map(|source| source.tables().len()).sum();
        let files = open.iter().filter_map(OpenSource::files).map(|set| set.files().len()).sum();
        Shape { compression: self.context.compression, seal: self.seal.clone(), tables, files }
    }

    fn header(&self) -> ExportBackupResponse {
        let header = Header {
            archive_id: self.archive_id.clone(),
            file_name: self.file_name.clone(),
            create_time: Some(timestamp(self.time.as_microsecond())),
            chunk_size: CHUNK_SIZE as i64,
        };
        ExportBackupResponse { message: Some(Message::Header(header)) }
    }

    fn trailer(&self, summary: Summary) -> ExportBackupResponse {
        let trailer = Trailer {
            archive_id: self.archive_id.clone(),
            size_bytes: summary.file.bytes,
            chunks: summary.file.chunks,
            sha256: summary.file.sha256,
            tables: summary.tables,
            rows: summary.rows,
            files: summary.files,
        };
        ExportBackupResponse { message: Some(Message::Trailer(trailer)) }
    }
}

/// What was read.
#[derive(Default)]
struct Fed {
    rows: u64,
    census: Census,
}

/// Reads every table and file of every source into `pipeline`, and ends each snapshot as soon as it was read.
async fn feed(pipeline: &Pipeline, open: Vec<OpenSource>) -> Result<Fed> {
    let mut fed = Fed::default();
    for mut source in open {
        for schema in source.tables().to_vec() {
            let name = schema.name.clone();
            let blocks = pipeline.start_table(schema).await?;
            fed.rows += source.read_table(&name, &blocks).await?;
        }
        if let Some(files) = source.files() {
            pipeline.write_files(Arc::clone(files)).await?;
        }
        fed.census.add(source.counted());
        source.finish().await?;
    }
    Ok(fed)
}

/// What was read and what was written are counted apart, and must agree before anybody calls it success.
fn check_rows(summary: Summary, read: u64) -> Result<Summary> {
    if u64::try_from(summary.rows) == Ok(read) {
        return Ok(summary);
    }
    Err(Error::Defect(format!("{read} rows were read and {} written", summary.rows)))
}
