//! Applying a plan: a backup, the stage, the swap.
//!
//! The order, each step recorded before the next one: the backup is stored; rows are staged beside the live ones; the stage is
//! durable; the difference is committed together with the target's marker; the row says APPLIED. Whatever fails before that
//! commit leaves the live rows as they were, and [`super::ending`] removes the stage.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::Caller;
use strongroom_tables::load::{Mode, Purpose, RestoreState as Marker, Stage, SwapLimits, Swapped};

use super::Base;
use super::archive::Fetched;
use super::journal::{Journal, add_step};
use super::loading::{Shared, load};
use super::plan::manifest_digest;
use super::record::{Progress, Request, StepName, journal_of};
use super::safety::SafetyBackups;
use super::selection::{Selected, choose, select};
use crate::backoff::Backoff;
use crate::backups::record::to_json;
use crate::error::{Error, RestoreError, Result};
use crate::failpoint;
use crate::incoming::Archive;
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use crate::sources::SqlSource;
use crate::store::{RestoreRow, RestoreState};

/// How long an applied restore can be taken back, in microseconds.
const ROLLBACK: i64 = 24 * 3600 * 1_000_000;
/// How long the locks of a swap are tried for.
const LOCK: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One restore that is being applied.
pub(super) struct Applying {
    pub(super) base: Base,
    pub(super) safety: SafetyBackups,
    pub(super) caller: Caller,
    pub(super) request: Request,
    pub(super) journal: Arc<Journal>,
    pub(super) id: String,
    pub(super) max_pause: Option<Duration>,
}

impl Applying {
    pub(super) async fn apply(self) -> Result<Ended<()>> {
        failpoint::reached("restore.begun");
        let progress: Shared = Arc::new(Mutex::new(Progress::default()));
        let journal = Arc::clone(&self.journal);
        // Boxed, as what it consists of below: together they would not fit on a thread's stack.
        journal.while_telling(&progress, Box::pin(self.apply_telling(&progress))).await
    }

    async fn apply_telling(&self, progress: &Shared) -> Result<Ended<()>> {
        begin_phase(progress, "receive", 0);
        let (source, fingerprint) = self.planned()?;
        // The file takes its room on the disk until it was read.
        let (mut archive, _fetched) = Box::pin(self.archive(progress)).await?;
        let sources = Arc::clone(&self.base.sources);
        let manifest = archive.manifest().clone();
        let (chosen, record) = choose(&manifest, &sources, &self.request.sources)?;
        let database = chosen.database().ok_or_else(|| Error::Defect("a source is no database".into()))?;
        let selected = select(&mut archive, record, &self.request)?;
        if selected.wanted.mode != Mode::IntoEmpty {
            begin_phase(progress, "safety-backup", 0);
            Box::pin(self.safety.take(&self.caller, &source, &selected, &self.journal)).await?;
        }
        self.journal.step(&source, StepName::Staging).await?;
        failpoint::reached("restore.staging");
        let rows = selected.wanted.tables.iter().map(|table| table.rows).sum();
        begin_phase(progress, "stage", rows);
        let stage = Box::pin(self.stage(database, (&selected, &fingerprint), (archive, progress))).await?;
        self.journal.step(&source, StepName::Staged).await?;
        failpoint::reached("restore.staged");
        begin_phase(progress, "swap", 0);
        self.journal.step(&source, StepName::Swapping).await?;
        failpoint::reached("restore.swapping");
        let swapped = Box::pin(self.swap(database, stage)).await?;
        failpoint::reached("restore.swapped");
        let paused = i64::try_from(swapped.paused.as_micros()).unwrap_or(i64::MAX);
        self.journal.change(|row, now| applied(row, now, &source, paused)).await?;
        failpoint::reached("restore.applied");
        let size = Size { bytes: 0, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
        let metadata = describe(&swapped);
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
    }

    /// The source and the fingerprint that was planned with.
    fn planned(&self) -> Result<(String, String)> {
        let fingerprint = self.request.fingerprint.clone();
        let source = self.request.sources.first().cloned();
        let source = source.ok_or_else(|| Error::Defect("a plan without a source".into()))?;
        Ok((source, fingerprint))
    }

    /// The archive that was planned with, and no other one.
    async fn archive(&self, progress: &Shared) -> Result<(Archive, Fetched)> {
        let tell = |bytes: u64| {
            let mut progress = progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            progress.bytes = bytes as i64;
        };
        let archives = &self.base.archives;
        // An upload belongs to whom it was planned by; the plan is as good as its caller.
        let fetched = archives.fetch(&self.request.creator, &self.request.origin, tell).await?;
        if fetched.staged.sha256 != self.request.archive.sha256 {
            return Err(RestoreError::ArchiveChanged("its SHA-256 is another one".to_owned()).into());
        }
        let archive = archives.open(fetched.staged.again()?).await?;
        if manifest_digest(&archive) != self.request.archive.manifest_sha256 {
            let changed = "its file in the staging folder was replaced".to_owned();
            return Err(RestoreError::ArchiveChanged(changed).into());
        }
        Ok((archive, fetched))
    }

    async fn stage(
        &self,
        database: &SqlSource,
        (selected, fingerprint): (&Selected, &str),
        (archive, progress): (Archive, &Shared),
    ) -> Result<Stage> {
        let target = database.open_target().await?;
        let purpose = Purpose::Restore(self.id.clone());
        let mut stage = target.stage(&selected.wanted, fingerprint, &purpose).await?;
        failpoint::reached("restore.stage_begun");
        load(archive, selected, &mut stage, progress).await?;
        failpoint::reached("restore.loaded");
        stage.keep().await?;
        Ok(stage)
    }

    /// Swaps, and finds out what became of a commit whose answer was lost.
    async fn swap(&self, database: &SqlSource, stage: Stage) -> Result<Swapped> {
        let limits = SwapLimits { lock: LOCK, pause: self.max_pause };
        let failed = match stage.swap(&limits).await {
            Ok(swapped) => return Ok(swapped),
            Err(error) => Error::from(error),
        };
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.base.shutdown.clone());
        loop {
            match marker(database, &self.id).await {
                Ok(Some(Marker::Applied)) => return Ok(Swapped::default()),
                Ok(_) => return Err(failed),
                Err(_) if backoff.wait().await => {}
                Err(_) => return Err(failed),
            }
        }
    }
}

/// What the target says of a restore.
pub(super) async fn marker(database: &SqlSource, id: &str) -> Result<Option<Marker>> {
    let mut target = database.open_target().await?;
    let state = target.state_of(id).await;
    target.close().await;
    Ok(state?)
}

/// The row of a restore that was applied.
pub(super) fn applied(row: &mut RestoreRow, now: i64, source: &str, paused: i64) -> Result<()> {
    add_step(row, now, source, StepName::Swapped)?;
    let mut journal = journal_of(row)?;
    journal.paused = paused;
    row.journal = to_json(&journal);
    row.state = RestoreState::Applied;
    row.end_time = Some(now);
    row.rollback_time = Some(now.saturating_add(ROLLBACK));
    row.progress.clear();
    row.reason.clear();
    row.problem.clear();
    Ok(())
}

fn begin_phase(progress: &Shared, phase: &str, rows_total: u64) {
    let mut progress = progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let rows_total = i64::try_from(rows_total).unwrap_or(i64::MAX);
    *progress = Progress { phase: phase.to_owned(), rows_total, ..Progress::default() };
}

fn describe(swapped: &Swapped) -> Metadata {
    let mut metadata = Metadata::new();
    let sum =
        |of: fn(&strongroom_tables::load::TableChanges) -> u64| swapped.tables.iter().map(of).sum::<u64>();
    put(&mut metadata, "rows_created", sum(|table| table.created));
    put(&mut metadata, "rows_changed", sum(|table| table.changed));
    put(&mut metadata, "rows_deleted", sum(|table| table.deleted));
    metadata
}
