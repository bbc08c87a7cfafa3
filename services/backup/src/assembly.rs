//! Makes archives, from opening the snapshots to writing the manifest, which comes last.
//!
//! Exports and stored backups are both made here; they differ in the [`Receiver`] that takes the pieces.
//!
//! Order: pin key versions, open all snapshots, read tables, fetch the ring, sign the manifest, and narrow the pins to
//! the key versions that the archive needs.

mod census;
mod chunk;
mod envelope;
mod estimate;
mod event;
mod exit;
mod files;
mod pipeline;
mod plan;
mod progress;
mod receiver;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{try_join, try_join_all};
use jiff::Timestamp;
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_archive::{Compression, EncryptedColumn, Limits, ManifestHead, archive_file_name};
use strongroom_runtime::Clock;
use strongroom_runtime::telemetry::{stage, stage_of};
use strongroom_tables::Outside;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::config::AppConfig;
use crate::error::{Error, Result};
use crate::left_out::LeftOuts;
use crate::metrics::ExportMetrics;
use crate::seal::{Seal, SealChoice, SealPolicy};
use crate::sources::{Names, OpenSource, Sources, in_archive};
use crate::vault_client::VaultClient;
use census::Census;
pub(crate) use chunk::{CHUNK_SIZE, ChunkWriter};
pub(crate) use estimate::Estimate;
pub(crate) use event::{describe_plan, describe_summary};
pub(crate) use pipeline::Summary;
use pipeline::{ArchiveEnd, Pipeline, Shape};
pub(crate) use plan::{ArchiveRequest, Plan};
pub(crate) use receiver::Receiver;

/// Shared by all archives of a process.
pub(crate) struct AssemblyContext {
    /// The application that owns the data.
    pub(crate) app: AppConfig,
    /// The server's own recipients.
    pub(crate) policy: SealPolicy,
    pub(crate) sources: Arc<Sources>,
    /// Signs manifests, serves the ring and takes the census.
    pub(crate) vault: VaultClient,
    /// Compression level of deflate.
    pub(crate) compression: Compression,
    /// Source of archive timestamps.
    pub(crate) clock: Arc<dyn Clock>,
    /// Time spent per stage.
    pub(crate) metrics: ExportMetrics,
    /// The service's own records, which go into the archive with the sources and keys.
    pub(crate) own: Arc<dyn OwnRecords>,
}

/// The records of the service's own database that archives include.
#[async_trait]
pub(crate) trait OwnRecords: Send + Sync {
    /// The document `schedules.json`; `None` if there are no schedules.
    async fn schedules(&self) -> Result<Option<Vec<u8>>>;
}

/// Margin after an archive's time limit, in microseconds: pins that a failed export could not release expire then.
const RELEASED_WITHIN: i64 = 3600 * 1_000_000;

/// Suffix of a sealed archive's file name.
const SEALED: &str = ".age";

/// Time limits of an archive, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    /// Maximum time that making the archive may take.
    pub(crate) making: i64,
    /// How long the key versions that it needs are protected from retirement; `None` means until they are released.
    pub(crate) pins: Option<i64>,
}

/// An archive before it is made.
pub(crate) struct Assembly {
    context: Arc<AssemblyContext>,
    plan: Plan,
    seal: Option<Arc<Seal>>,
    lifetime: Lifetime,
    pub(crate) archive_id: String,
    pub(crate) file_name: String,
    /// The timestamp in its file name and manifest.
    pub(crate) time: Timestamp,
}

/// A finished archive.
pub(crate) struct Assembled {
    pub(crate) summary: Summary,
    /// The key versions that it needs.
    pub(crate) kids: Vec<String>,
    /// The root key that wraps them.
    pub(crate) root_key_id: String,
    /// Items of the sources that the archive leaves out.
    pub(crate) left_out: LeftOuts,
}

impl Assembly {
    /// Prepares an archive of `plan` with a new id, sealed according to `choice`.
    ///
    /// # Errors
    /// [`Error::NoRecoveryRecipient`] and the vault's errors.
    pub(crate) async fn prepare(
        context: &Arc<AssemblyContext>,
        plan: Plan,
        choice: SealChoice,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let time = Timestamp::from_microsecond(context.clock.now_micros())
            .map_err(|error| Error::Defect(format!("the clock is out of range: {error}")))?;
        let archive_id = uuid::Uuid::now_v7().to_string();
        let mut file_name = archive_file_name(&context.app.name, time);
        if !matches!(choice, SealChoice::Plain) {
            file_name.push_str(SEALED);
        }
        let seal = context.policy.prepare(choice, &context.vault, &archive_id).await?.map(Arc::new);
        let context = Arc::clone(context);
        Ok(Self { context, plan, seal, lifetime, archive_id, file_name, time })
    }

    /// The clock that dates the archive.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.context.clock
    }

    /// Hands the archive to `receiver` piece by piece, until `stop` is cancelled.
    ///
    /// # Errors
    /// Errors of the sources, the vault and the receiver.
    pub(crate) async fn run(self, receiver: Arc<dyn Receiver>, stop: CancellationToken) -> Result<Assembled> {
        let (vault, until) = (&self.context.vault, self.pinned_until());
        vault.pin(&self.archive_id, until).await?;
        let Opened { sources: open, names } = self.open_sources().instrument(stage("open sources")).await?;
        // Pin again: opening can take minutes, and the snapshots may refer to key versions created meanwhile.
        let (pinned, mut head) =
            try_join(vault.pin(&self.archive_id, until), self.manifest_head(&open, &names)).await?;
        receiver.begin().await?;
        let signer = (vault.clone(), self.archive_id.clone());
        let pipeline = Pipeline::start(receiver, signer, stop, self.shape(&open));
        let fed = feed(&pipeline, open, &names).instrument(stage("read sources")).await;
        let Fed { rows, census } = match fed {
            Ok(fed) => fed,
            Err(error) => return Err(pipeline.cause(error).await),
        };
        census.complete(&mut head.kids, &pinned);
        census.report(vault, &pinned, self.time.as_microsecond()).await;
        let ring = vault.key_ring(head.kids.clone()).await?;
        head.root_key_id = Some(ring.root_key_id.clone());
        head.deployment_id = Some(ring.deployment_id);
        let schedules = match &self.plan.partial {
            None => self.context.own.schedules().await?,
            Some(_) => None,
        };
        let end = ArchiveEnd { ring: ring.json, schedules, head, needs: self.needs(ring.kids.clone()) };
        let summary = check_rows(pipeline.finish(end).instrument(stage("finish archive")).await?, rows)?;
        let left_out = self.left_out(&summary);
        Ok(Assembled { summary, kids: ring.kids, root_key_id: ring.root_key_id, left_out })
    }

    fn left_out(&self, summary: &Summary) -> LeftOuts {
        let mut left_out = summary.left_out.clone();
        for source in &self.plan.unread {
            left_out.add(source, "", UNREAD);
        }
        left_out
    }

    /// Opens all snapshots before anything is read; those of databases open concurrently, so that they are close
    /// together in time. Services open last, because a service ends a stream that nobody reads, and opening a database
    /// can take minutes (temporary copy).
    async fn open_sources(&self) -> Result<Opened> {
        let all = &self.context.sources;
        let reads = || self.plan.reads.iter().enumerate();
        let of = |services: bool| {
            let chosen = reads().filter(move |(_, (at, _))| all.all()[*at].is_service() == services);
            chosen.map(|(place, (at, choice))| async move {
                Ok::<_, Error>((place, all.all()[*at].open(choice).await?))
            })
        };
        let mut sources: Vec<(usize, OpenSource)> = try_join_all(of(false)).await?;
        sources.extend(try_join_all(of(true)).await?);
        sources.sort_by_key(|(place, _)| *place);
        let sources: Vec<_> = sources.into_iter().map(|(_, source)| source).collect();
        let assigned = match &self.plan.names {
            Some(names) => names.clone(),
            None => all.names_of(&sources)?,
        };
        check_entries(&sources)?;
        let places = self.plan.reads.iter().map(|(at, _)| *at).collect();
        Ok(Opened { sources, names: TableNames { assigned, places } })
    }

    /// The protection of these key versions for the archive.
    fn needs(&self, kids: Vec<String>) -> Needs {
        let until = self.lifetime.pins.map(|pins| timestamp(self.context.clock.now_micros() + pins));
        Needs { kids, expire_time: until }
    }

    /// End of the longest time that making the archive can take, plus a margin.
    fn pinned_until(&self) -> i64 {
        self.context.clock.now_micros() + self.lifetime.making + RELEASED_WITHIN
    }

    /// The manifest's head, without the parts that come from the vault or depend on the columns of databases.
    async fn manifest_head(&self, open: &[OpenSource], names: &TableNames) -> Result<ManifestHead> {
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
            deployment_id: None,
            root_key_id: None,
            kids,
            encrypted_columns: names.columns(open)?,
            audit_head: self.context.vault.audit_head().await?,
            sources: open.iter().map(|source| source.record().clone()).collect(),
            partial: self.plan.partial.clone(),
        })
    }

    fn shape(&self, open: &[OpenSource]) -> Shape {
        let tables = open.iter().map(|source| source.tables().len()).sum();
        let files = open.iter().filter_map(OpenSource::files).map(|set| set.files().len()).sum();
        let (compression, metrics) = (self.context.compression, self.context.metrics.clone());
        Shape { compression, seal: self.seal.clone(), tables, files, metrics }
    }
}

/// Reported for a source that is missing from the archive.
const UNREAD: &str = "has not been readable since the service started, so later sources' tables were named \
    without considering its tables; a table_prefix makes names independent of it";

struct Opened {
    sources: Vec<OpenSource>,
    names: TableNames,
}

/// Archive names of the opened tables.
struct TableNames {
    assigned: Names,
    /// Index among all sources of each opened source.
    places: Vec<usize>,
}

impl TableNames {
    /// The archive name of a table of the opened source at `index`.
    fn of(&self, index: usize, own: &str) -> Result<String> {
        let name = self.places.get(index).and_then(|at| self.assigned.of(*at, own));
        name.map(str::to_owned).ok_or_else(|| Error::Defect(format!("the table {own:?} has no name")))
    }

    fn columns(&self, open: &[OpenSource]) -> Result<Vec<EncryptedColumn>> {
        let mut columns = Vec::new();
        for (index, source) in open.iter().enumerate() {
            for column in source.encrypted() {
                columns.push(in_archive(column, &self.of(index, &column.table)?)?);
            }
        }
        Ok(columns)
    }
}

/// Checks the number of entries first, so that an export does not fail half-way. A table takes two entries; each
/// database, canary, ring, manifest and signature takes one.
fn check_entries(open: &[OpenSource]) -> Result<()> {
    let tables: usize = open.iter().map(|source| source.tables().len()).sum();
    let files: usize = open.iter().filter_map(OpenSource::files).map(|set| set.files().len()).sum();
    let databases: Vec<&Outside> = open.iter().filter_map(OpenSource::outside).collect();
    let large_objects: usize = databases.iter().map(|database| database.large_objects.len()).sum();
    let limit = Limits::V1.entries;
    if (2 * tables + files + large_objects + databases.len() + 4) as u64 <= limit {
        return Ok(());
    }
    Err(Error::TooManyEntries { tables, files, large_objects, limit })
}

#[derive(Default)]
struct Fed {
    rows: u64,
    census: Census,
}

/// Reads every table and file of every source into `pipeline`, and ends each snapshot as soon as it is read.
async fn feed(pipeline: &Pipeline, open: Vec<OpenSource>, names: &TableNames) -> Result<Fed> {
    let mut fed = Fed::default();
    for (index, source) in open.into_iter().enumerate() {
        let span = stage_of("read source", &source.record().name);
        feed_source(pipeline, index, source, names, &mut fed).instrument(span).await?;
    }
    Ok(fed)
}

async fn feed_source(
    pipeline: &Pipeline,
    index: usize,
    mut source: OpenSource,
    names: &TableNames,
    fed: &mut Fed,
) -> Result<()> {
    for mut schema in source.tables().to_vec() {
        let name = names.of(index, &schema.name)?;
        let own = std::mem::replace(&mut schema.name, name);
        let blocks = pipeline.start_table(schema, source.since(&own)).await?;
        fed.rows += source.read_table(&own, &blocks).await?;
    }
    if let Some(outside) = source.outside().cloned() {
        pipeline.write_database(outside.schema).await?;
        for oid in outside.large_objects {
            let pieces = pipeline.start_large_object(&source.record().name, oid).await?;
            source.read_large_object(oid, &pieces).await?;
        }
    }
    if let Some(files) = source.files() {
        pipeline.write_files(Arc::clone(files)).await?;
    }
    fed.census.add(source.counted());
    source.finish().await
}

/// Rows read and rows written are counted separately; a difference is an error.
fn check_rows(summary: Summary, read: u64) -> Result<Summary> {
    if u64::try_from(summary.rows) == Ok(read) {
        return Ok(summary);
    }
    Err(Error::Defect(format!("{read} rows were read and {} written", summary.rows)))
}
