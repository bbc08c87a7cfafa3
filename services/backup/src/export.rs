//! Exports: each is one task that owns everything from the first audit event to the last.
//!
//! gRPC drops a handler when its client leaves; what must happen anyway (the closing event, the end of the
//! snapshots) therefore lives in a task of its own. The order inside: the start is recorded, all snapshots
//! are opened, the ring is fetched, tables are read, the manifest is signed, the end is recorded, the trailer
//! leaves.

mod census;
mod chunk;
mod envelope;
mod files;
mod journal;
mod pipeline;
mod plan;
mod progress;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use strongroom_api::backup::v1::export_backup_response::{Header, Message, Trailer};
use strongroom_archive::{Compression, ManifestHead, archive_file_name};
use strongroom_runtime::{Caller, Clock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::AppConfig;
use crate::error::{Error, Result};
use crate::leftovers::Leftovers;
use crate::seal::{Seal, SealChoice, SealPolicy};
use crate::set::{BackupSet, check_unique};
use crate::source::OpenSource;
use crate::time::proto_time;
use crate::vault::{KeyRing, Vault};
use census::Census;
use chunk::CHUNK_SIZE;
use journal::Journal;
pub(crate) use journal::{ENDED, STARTED};
use pipeline::{Pipeline, Shape, Summary};
pub(crate) use plan::ExportRequest;
use plan::Plan;
pub(crate) use stream::ExportStream;
use stream::{Gone, Outlet};

/// How long running exports may take to record their end when the service stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Behind the name of a sealed file.
const SEALED: &str = ".age";

/// How exports are limited.
pub(crate) struct ExportLimits {
    /// The longest that one may take.
    pub(crate) duration: Duration,
    /// The longest that its client may take nothing.
    pub(crate) stall: Duration,
    /// How many at the same time.
    pub(crate) concurrent: usize,
    /// Deflate's effort.
    pub(crate) compression: Compression,
}

/// Makes exports; one for the whole process.
pub(crate) struct Exports {
    app: AppConfig,
    policy: SealPolicy,
    set: Arc<BackupSet>,
    vault: Vault,
    leftovers: Arc<Leftovers>,
    instance: String,
    limits: ExportLimits,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Exports {
    /// With no export running.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the service, named once")]
    pub(crate) fn create(
        app: AppConfig,
        policy: SealPolicy,
        set: Arc<BackupSet>,
        vault: Vault,
        leftovers: Arc<Leftovers>,
        instance: String,
        limits: ExportLimits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(limits.concurrent));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self { app, policy, set, vault, leftovers, instance, limits, clock, places, tasks, stop }
    }

    /// Begins an export for `caller`, sealed as `choice` says; its messages come out of the stream.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Field`], [`Error::NoRecoveryRecipient`], the vault's and those of sources that have to be asked first.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        caller: &Caller,
        request: &ExportRequest,
        choice: SealChoice,
    ) -> Result<ExportStream> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Error::Busy(self.limits.concurrent))?;
        let plan = Plan::create(&self.set, request).await?;
        self.leftovers.close_own().await?;

        let created_at = self.clock.now_micros();
        let time = Timestamp::from_microsecond(created_at)
            .map_err(|error| Error::Defect(format!("the clock is out of range: {error}")))?;
        let archive_id = uuid::Uuid::now_v7().to_string();
        let mut file_name = archive_file_name(&self.app.name, time);
        if !matches!(choice, SealChoice::Plain) {
            file_name.push_str(SEALED);
        }
        let mut journal =
            Journal::create(self.vault.clone(), caller, &self.instance, &archive_id, &file_name, &plan)?;
        journal.sealed(&choice, self.policy.recipients(&choice));
        let seal = self.policy.prepare(choice, &self.vault, &archive_id).await?.map(Arc::new);
        let stop = self.stop.child_token();
        let export = Export {
            exports: Arc::clone(self),
            plan,
            journal,
            seal,
            archive_id,
            file_name,
            created_at,
            time,
            stop,
        };
        let (outlet, stream, gone) = stream::create(self.limits.stall);
        self.tasks.spawn(export.run(outlet, gone, place));
        Ok(stream)
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::error!("exports were still running at the end; the next start closes them as unknown");
        }
    }
}

/// One export.
struct Export {
    exports: Arc<Exports>,
    plan: Plan,
    journal: Journal,
    seal: Option<Arc<Seal>>,
    archive_id: String,
    file_name: String,
    /// Microseconds since the epoch.
    created_at: i64,
    time: Timestamp,
    stop: CancellationToken,
}

impl Export {
    async fn run(self, outlet: Outlet, gone: Gone, place: OwnedSemaphorePermit) {
        let began = Instant::now();
        let (archive_id, file_name) = (self.archive_id.as_str(), self.file_name.as_str());
        match self.attempt(&outlet).await {
            Ok(summary) => {
                let (bytes, rows) = (summary.file.bytes, summary.rows);
                let ms = began.elapsed().as_millis() as u64;
                tracing::info!(archive_id, file_name, bytes, rows, ms, "an export is complete");
                let _ = outlet.send(self.trailer(summary)).await;
                drop(outlet);
            }
            Err(error) => {
                let reason = error.reason();
                tracing::warn!(archive_id, file_name, reason, %error, "an export failed");
                outlet.fail(error.status());
            }
        }
        // The place is the stream's as long as that takes memory, but no client keeps it by doing nothing.
        let gone = tokio::time::timeout(self.exports.limits.stall, gone);
        let _ = self.exports.stop.run_until_cancelled(gone).await;
        drop(place);
    }

    /// From the first event to the last one.
    async fn attempt(&self, outlet: &Outlet) -> Result<Summary> {
        self.journal.started().await?;
        let mut result = self.within_limits(outlet).await;
        self.stop.cancel();
        if let Ok(summary) = &result
            && let Err(error) = self.journal.succeeded(summary).await
        {
            result = Err(error);
        }
        if let Err(error) = &result {
            self.journal.failed(error).await;
        }
        result
    }

    /// Whatever ends first ends everything: what is dropped here closes its database connections.
    async fn within_limits(&self, outlet: &Outlet) -> Result<Summary> {
        let limit = self.exports.limits.duration;
        tokio::select! {
            assembled = tokio::time::timeout(limit, self.assemble(outlet)) => {
                assembled.unwrap_or(Err(Error::TooLong(limit.as_secs())))
            }
            () = outlet.closed() => Err(Error::ClientLeft),
            () = self.exports.stop.cancelled() => Err(Error::ShuttingDown),
        }
    }

    async fn assemble(&self, outlet: &Outlet) -> Result<Summary> {
        let open = self.open_sources().await?;
        let ring = self.exports.vault.key_ring().await?;
        let mut head = self.manifest_head(&open, &ring).await?;
        let tables = open.iter().map(|source| source.tables().len()).sum();
        let files = open.iter().filter_map(OpenSource::files).map(|set| set.files().len()).sum();
        outlet.send(self.header()).await?;
        let compression = self.exports.limits.compression;
        let shape = Shape { compression, seal: self.seal.clone(), tables, files };
        let vault = self.exports.vault.clone();
        let pipeline = Pipeline::start(outlet.clone(), vault, self.stop.clone(), shape);
        let summary = match feed(&pipeline, open).await {
            Ok(Fed { rows, census }) => {
                census.complete(&mut head.kids, &ring);
                census.report(&self.exports.vault, &ring, self.created_at).await;
                check_rows(pipeline.finish(ring.json, head).await?, rows)?
            }
            Err(error) => return Err(pipeline.cause(error).await),
        };
        outlet.taken().await?;
        Ok(summary)
    }

    /// Opens all snapshots at once and before anything is read, so that they lie close together.
    async fn open_sources(&self) -> Result<Vec<OpenSource>> {
        let sources = self.exports.set.sources();
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
        let app = &self.exports.app;
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
            audit_head: self.exports.vault.audit_head().await?,
            sources: open.iter().map(|source| source.record().clone()).collect(),
            partial: self.plan.partial.clone(),
        })
    }

    fn header(&self) -> Message {
        Message::Header(Header {
            archive_id: self.archive_id.clone(),
            file_name: self.file_name.clone(),
            create_time: Some(proto_time(self.created_at)),
            chunk_size: CHUNK_SIZE as i64,
        })
    }

    fn trailer(&self, summary: Summary) -> Message {
        Message::Trailer(Trailer {
            archive_id: self.archive_id.clone(),
            size_bytes: summary.file.bytes,
            chunks: summary.file.chunks,
            sha256: summary.file.sha256,
            tables: summary.tables,
            rows: summary.rows,
            files: summary.files,
        })
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
