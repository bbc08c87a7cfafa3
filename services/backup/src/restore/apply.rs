//! Applies a plan: a backup, the stages, the swaps.
//!
//! Order, with each step recorded before the next one: the backup is stored; each source gets its stage, which survives
//! a crash; when all stages are ready, one source after the other is swapped; the state is set to APPLIED. A failure
//! before the first swap leaves every source unchanged, and [`super::ending`] removes the stages. After a later
//! failure, [`super::forward`] continues.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_api::limits::RING_BYTES;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::Caller;

use super::Base;
use super::archive::Fetched;
use super::convert::grant_terms;
use super::journal::{Journal, add_step};
use super::loading::Shared;
use super::plan::manifest_digest;
use super::record::{Progress, Request, RequestMode, StepName, journal_of};
use super::resealing::Resealing;
use super::safety::SafetyBackups;
use super::selection::{Selected, choose, selected};
use super::target::{Changed, Ready, Target};
use crate::backups::record::to_json;
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Staged;
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use crate::store::{RestoreRow, RestoreState};
use crate::vault_client::SealingAnew;
use strongroom_runtime::failpoint;

/// How long an applied restore can be rolled back, in microseconds.
const ROLLBACK: i64 = 24 * 3600 * 1_000_000;

/// One restore being applied.
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
        // Boxed, like its parts below: together they would not fit on a thread's stack.
        journal.while_telling(&progress, Box::pin(self.apply_telling(&progress))).await
    }

    async fn apply_telling(&self, progress: &Shared) -> Result<Ended<()>> {
        begin_phase(progress, "receive", 0);
        let archive = Box::pin(PlannedArchive::fetch(&self.base, &self.request, progress)).await?;
        let mut parts = archive.parts(&self.base, &self.request).await?;
        for part in &parts {
            Box::pin(Target::of(&self.base, part.source())?.check(part, &self.request)).await?;
        }
        if self.request.mode != RequestMode::IntoEmpty {
            begin_phase(progress, "safety-backup", 0);
            let accepts_cascade = self.request.accept_cascade;
            Box::pin(self.safety.take(&self.caller, &parts, accepts_cascade, &self.journal)).await?;
        }
        parts.sort_by_key(Selected::swap_order);
        let mut ready = Vec::with_capacity(parts.len());
        for part in &parts {
            ready.push(Box::pin(self.stage(&archive, part, progress)).await?);
        }
        // Free the file's disk space as soon as it has been read.
        drop(archive);
        begin_phase(progress, "swap", 0);
        let mut changed = Vec::with_capacity(parts.len());
        for (part, ready) in parts.iter().zip(ready) {
            // Waiting writers are better than a platform of which only half has been swapped.
            let most = self.max_pause.filter(|_| changed.is_empty());
            changed.push(Box::pin(self.swap(part.source(), ready, most)).await?);
        }
        self.base.bring_back_schedules(&self.request).await?;
        self.journal.change_state(applied).await?;
        self.base.tell_of(&self.request);
        failpoint::reached("restore.applied");
        let rows: u64 = parts.iter().map(Selected::rows).sum();
        let size = Size { bytes: 0, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
        let metadata = describe(&changed);
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
    }

    async fn stage(&self, archive: &PlannedArchive, part: &Selected, progress: &Shared) -> Result<Ready> {
        let source = part.source();
        self.journal.step(source, StepName::Staging).await?;
        failpoint::reached("restore.staging");
        begin_phase(progress, "stage", part.rows());
        let ready = archive.stage(&self.base, (part, &self.request), (&self.id, progress)).await?;
        self.journal.step(source, StepName::Staged).await?;
        failpoint::reached("restore.staged");
        Ok(ready)
    }

    async fn swap(&self, source: &str, ready: Ready, most: Option<Duration>) -> Result<Changed> {
        self.journal.step(source, StepName::Swapping).await?;
        failpoint::reached("restore.swapping");
        let changed = Target::of(&self.base, source)?.swap(ready, &self.id, most).await?;
        failpoint::reached("restore.swapped");
        self.journal.change(|row, now| swapped(row, now, source, changed.paused)).await?;
        failpoint::reached("restore.swap_recorded");
        Ok(changed)
    }
}

/// The archive that was planned with; any other one is refused.
pub(super) struct PlannedArchive {
    fetched: Fetched,
    manifest_sha256: String,
}

impl PlannedArchive {
    /// # Errors
    /// [`RestoreError::ArchiveChanged`], and errors of fetching it.
    pub(super) async fn fetch(base: &Base, request: &Request, progress: &Shared) -> Result<Self> {
        let tell = |bytes: u64| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.bytes = bytes as i64;
        };
        // An upload belongs to the principal that planned the restore: fetch it on that principal's behalf.
        let fetched = base.archives.fetch(&request.creator, &request.origin, tell).await?;
        if fetched.staged.sha256 != request.archive.sha256 {
            return Err(RestoreError::ArchiveChanged("its SHA-256 is different".to_owned()).into());
        }
        Ok(Self { fetched, manifest_sha256: request.archive.manifest_sha256.clone() })
    }

    /// The contents for each source, in archive order.
    ///
    /// # Errors
    /// As for a plan.
    pub(super) async fn parts(&self, base: &Base, request: &Request) -> Result<Vec<Selected>> {
        let archive = self.open(base).await?;
        let (records, _) = choose(archive.manifest(), &base.sources, request, true)?;
        selected(archive, records, request).await
    }

    /// Stages one source. The archive is opened anew for each, because a stage that fails does not return it.
    ///
    /// # Errors
    /// As for [`Target::stage`].
    pub(super) async fn stage(
        &self,
        base: &Base,
        (part, request): (&Selected, &Request),
        (id, progress): (&str, &Shared),
    ) -> Result<Ready> {
        let mut archive = self.open(base).await?;
        let resealing = resealing(base, &mut archive, (id, request))?;
        let what = (part, request, resealing.as_ref());
        Target::of(base, part.source())?.stage(archive, what, (id, progress)).await
    }

    async fn open(&self, base: &Base) -> Result<crate::incoming::Archive> {
        let staged: &Staged = &self.fetched.staged;
        let archive = base.archives.open(staged.again()?).await?;
        if manifest_digest(&archive) != self.manifest_sha256 {
            let changed = "its file in the staging folder was replaced".to_owned();
            return Err(RestoreError::ArchiveChanged(changed).into());
        }
        Ok(archive)
    }
}

/// The re-sealing of values from an archive of another root key.
fn resealing(
    base: &Base,
    archive: &mut crate::incoming::Archive,
    (id, request): (&str, &Request),
) -> Result<Option<Arc<Resealing>>> {
    if !request.archive.is_of_another_root {
        return Ok(None);
    }
    let terms = grant_terms(id, request);
    let terms =
        terms.ok_or_else(|| Error::Defect("a restore under another root key without terms".into()))?;
    let ring = archive.ring(RING_BYTES as u64)?.unwrap_or_default();
    let grant = request.grant_statement();
    Ok(Some(Arc::new(Resealing {
        vault: base.vault.clone(),
        with: SealingAnew { terms, grant, ring: ring.into() },
        columns: archive.manifest().encrypted_columns.clone(),
        accepts_undecryptable: request.accept_undecryptable,
    })))
}

/// Records that a source was swapped.
pub(super) fn swapped(row: &mut RestoreRow, now: i64, source: &str, paused: Duration) -> Result<()> {
    add_step(row, now, source, StepName::Swapped)?;
    let mut journal = journal_of(row)?;
    let paused = i64::try_from(paused.as_micros()).unwrap_or(i64::MAX);
    journal.paused = journal.paused.max(paused);
    row.journal = to_json(&journal);
    Ok(())
}

/// Updates the row of a restore whose sources were all swapped.
pub(super) fn applied(row: &mut RestoreRow, now: i64) -> Result<()> {
    row.state = RestoreState::Applied;
    row.end_time = Some(now);
    row.rollback_time = Some(now.saturating_add(ROLLBACK));
    row.progress.clear();
    row.reason.clear();
    row.problem.clear();
    Ok(())
}

fn begin_phase(progress: &Shared, phase: &str, rows_total: u64) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    let rows_total = i64::try_from(rows_total).unwrap_or(i64::MAX);
    *progress = Progress { phase: phase.to_owned(), rows_total, ..Progress::default() };
}

fn describe(changed: &[Changed]) -> Metadata {
    let mut metadata = Metadata::new();
    let sum = |of: fn(&Changed) -> u64| changed.iter().map(of).sum::<u64>();
    put(&mut metadata, "rows_created", sum(|changed| changed.created));
    put(&mut metadata, "rows_changed", sum(|changed| changed.changed));
    put(&mut metadata, "rows_deleted", sum(|changed| changed.deleted));
    metadata
}
