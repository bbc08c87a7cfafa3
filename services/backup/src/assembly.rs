//! The making of an archive: from its snapshots to the manifest that is written last.
//!
//! Exports and stored backups are made here; they differ in the [`Receiver`] that takes the pieces.
//!
//! The order inside: key versions are pinned, all snapshots are opened, tables are read, the ring is fetched, the manifest is
//! signed and the pins are narrowed to what the archive needs.

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

/// What all archives of a process are made with.
pub(crate) struct AssemblyContext {
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
    /// Counts where the time goes.
    pub(crate) metrics: ExportMetrics,
    /// What it holds beside sources and keys.
    pub(crate) own: Arc<dyn OwnRecords>,
}

/// What archives hold of the service's own database.
#[async_trait]
pub(crate) trait OwnRecords: Send + Sync {
    /// The document `schedules.json`; `None` where there are no schedules.
    async fn schedules(&self) -> Result<Option<Vec<u8>>>;
}

/// By then the pins of an export that came to nothing are released, in microseconds.
const RELEASED_WITHIN: i64 = 3600 * 1_000_000;

/// Suffix of a sealed archive's file name.
const SEALED: &str = ".age";

/// How long an archive takes, and how long it holds its key versions, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    /// The longest that its making may take.
    pub(crate) making: i64,
    /// How long the key versions that it needs cannot be retired; until they are released if it is not given.
    pub(crate) pins: Option<i64>,
}

/// An archive that is about to be made.
pub(crate) struct Assembly {
    context: Arc<AssemblyContext>,
    plan: Plan,
    seal: Option<Arc<Seal>>,
    lifetime: Lifetime,
    pub(crate) archive_id: String,
    pub(crate) file_name: String,
    /// As its file name and its manifest have it.
    pub(crate) time: Timestamp,
}

/// An archive that was made.
pub(crate) struct Assembled {
    pub(crate) summary: Summary,
    /// The key versions that it needs.
    pub(crate) kids: Vec<String>,
    /// The root key that wraps them.
    pub(crate) root_key_id: String,
    /// What the sources have and the archive has not.
    pub(crate) left_out: LeftOuts,
}

impl Assembly {
    /// Of what `plan` says, with a new id, sealed as `choice` says.
    ///
    /// # Errors
    /// [`Error::NoRecoveryRecipient`] and the vault's.
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

    /// By which it is dated.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.context.clock
    }

    /// Hands the archive to `receiver`, piece by piece, until `stop`.
    ///
    /// # Errors
    /// The sources', the vault's and the receiver's.
    pub(crate) async fn run(self, receiver: Arc<dyn Receiver>, stop: CancellationToken) -> Result<Assembled> {
        let (vault, until) = (&self.context.vault, self.pinned_until());
        vault.pin(&self.archive_id, until).await?;
        let Opened { sources: open, names } = self.open_sources().instrument(stage("open sources")).await?;
        // Once more: opening may have waited for minutes, and the snapshots know versions that were made meanwhile.
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

    /// Opens all snapshots before anything is read, those of databases at once, so that they lie close together. Services
    /// come last: a service ends a stream that nobody reads, and opening a database may take minutes (a copy).
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

    /// What holds these versions for the archive.
    fn needs(&self, kids: Vec<String>) -> Needs {
        let until = self.lifetime.pins.map(|pins| timestamp(self.context.clock.now_micros() + pins));
        Needs { kids, expire_time: until }
    }

    /// While the archive may be in the making, and a while longer.
    fn pinned_until(&self) -> i64 {
        self.context.clock.now_micros() + self.lifetime.making + RELEASED_WITHIN
    }

    /// The manifest's head, but for the vault's part and what the columns of databases need.
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
const UNREAD: &str = "could not be read since the service started, so its tables were not considered when the tables \
    of later sources got their names; a table_prefix makes names independent of it";

/// The sources of one archive.
struct Opened {
    sources: Vec<OpenSource>,
    names: TableNames,
}

/// Names in the archive of what was opened.
struct TableNames {
    assigned: Names,
    /// Where among all sources each of those is that were opened.
    places: Vec<usize>,
}

impl TableNames {
    /// Of a table of the opened source at `index`.
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

/// So that an export need not fail half-way. A table takes two entries; each database, canary, ring, manifest and
/// signature one.
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

/// What was read.
#[derive(Default)]
struct Fed {
    rows: u64,
    census: Census,
}

/// Reads every table and file of every source into `pipeline`, and ends each snapshot as soon as it was read.
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

/// What was read and what was written are counted apart, and must agree before anybody calls it success.
fn check_rows(summary: Summary, read: u64) -> Result<Summary> {
    if u64::try_from(summary.rows) == Ok(read) {
        return Ok(summary);
    }
    Err(Error::Defect(format!("{read} rows were read and {} written", summary.rows)))
}
