//! The work of an import after its document was received.
//!
//! A dry run stages the rows temporarily and compares; for constraints of SQLite, which a comparison cannot check, it
//! rehearses the swap. An import reserves its source, stages under its own id, compares and swaps. The leftovers of the
//! swap prove that it was applied, and are removed once the audit log says so too ([`super::ending`]).

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::ImportTablesResponse;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::telemetry::stage as span;
use strongroom_tables::load::{Inspection, Purpose, RestoreState, Stage, SwapLimits, Swapped, Target};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::choice::{Chosen, choose, database};
use super::contents::Document;
use super::ending::Begun;
use super::loading::load;
use super::report::Report;
use super::{Base, ImportRequest};
use crate::backoff::Backoff;
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Staged;
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use crate::sources::SqlSource;
use crate::store::{self, OperationRow};
use strongroom_runtime::failpoint;

/// How long the swap tries to get its locks.
const LIMITS: SwapLimits = SwapLimits { lock: Duration::from_secs(60), pause: None };
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One import.
pub(super) struct Importing {
    pub(super) base: Base,
    /// Recorded when the source is reserved.
    pub(super) operation: OperationRow,
    pub(super) begun: Arc<Begun>,
    pub(super) is_dry: bool,
}

/// Metadata of all events of an import.
pub(super) fn describe(request: &ImportRequest, sha256: &str) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "dry_run", request.dry_run);
    put(&mut metadata, "sha256", sha256);
    metadata
}

impl Importing {
    pub(super) async fn run(
        self,
        staged: Staged,
        stop: CancellationToken,
    ) -> Result<Ended<ImportTablesResponse>> {
        let bytes = i64::try_from(staged.size).unwrap_or(i64::MAX);
        let document = Document::new(staged, self.base.memory, stop);
        let reading = tokio::task::spawn_blocking(move || document.contents().map(|read| (document, read)));
        let (document, contents) = reading.instrument(span("read document")).await??;
        let sources = Arc::clone(&self.base.sources);
        let chosen = choose(&sources, contents).await?;
        let database = database(&sources, chosen.at)?;
        let mut report = Report::new(&self.operation.id, self.is_dry, &chosen.wanted);
        // Boxed: together they would not fit on a thread's stack.
        let done = if self.is_dry {
            Box::pin(rehearse(database, chosen, document, &mut report)).await
        } else {
            Box::pin(self.import(database, chosen, document, &mut report)).await
        };
        if let Err(error) = done {
            report.refused_by(error)?;
        }
        let failed = report.is_refused() && !self.is_dry;
        Ok(Ended {
            outcome: if failed { AuditOutcome::Failed } else { AuditOutcome::Success },
            metadata: report.metadata(),
            size: Size { bytes, rows: report.rows() },
            replies: vec![report.into_message()],
        })
    }

    async fn import(
        &self,
        database: &SqlSource,
        chosen: Chosen,
        document: Document,
        report: &mut Report,
    ) -> Result<()> {
        let source = chosen.wanted.record.name.clone();
        self.reserve(&source).await?;
        failpoint::reached("import.reserved");
        self.change(database, chosen, document, report).await
    }

    async fn reserve(&self, source: &str) -> Result<()> {
        let begun = self.base.store.begin_import(source, &self.operation).await?;
        match begun {
            store::Begun::Done => {
                self.begun.remember(&self.operation, source);
                Ok(())
            }
            store::Begun::Fenced => Err(Error::Fenced),
            store::Begun::Busy(taken) => {
                let (source_name, other) = (taken.source, taken.restore_id);
                Err(RestoreError::TargetBusy { source_name, other }.into())
            }
            store::Begun::Stale => Err(RestoreError::TargetWasBusy(source.to_owned()).into()),
        }
    }

    async fn change(
        &self,
        database: &SqlSource,
        chosen: Chosen,
        document: Document,
        report: &mut Report,
    ) -> Result<()> {
        let purpose = Purpose::Restore(self.operation.id.clone());
        let Some(mut stage) = compared(database, chosen, document, &purpose, report).await? else {
            return Ok(());
        };
        stage.keep().await?;
        failpoint::reached("import.staged");
        let swapped = self.swap(database, stage).instrument(span("swap")).await?;
        failpoint::reached("import.swapped");
        report.swapped(&swapped);
        Ok(())
    }

    /// Swaps. If the answer to the commit is lost, finds out whether it took effect.
    async fn swap(&self, database: &SqlSource, stage: Stage) -> Result<Swapped> {
        let failed = match stage.swap(&LIMITS).await {
            Ok(swapped) => return Ok(swapped),
            Err(error) => Error::from(error),
        };
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.base.shutdown.clone());
        loop {
            match self.state(database).await {
                // The counts of the earlier comparison stay valid.
                Ok(Some(RestoreState::Applied)) => return Ok(Swapped::default()),
                Ok(_) => return Err(failed),
                Err(_) if backoff.wait().await => {}
                Err(_) => return Err(failed),
            }
        }
    }

    async fn state(&self, database: &SqlSource) -> Result<Option<RestoreState>> {
        let mut target = database.open_target().await?;
        let state = target.state_of(&self.operation.id).await;
        target.close().await;
        Ok(state?)
    }
}

/// Reports the effect that an import would have.
async fn rehearse(
    database: &SqlSource,
    chosen: Chosen,
    document: Document,
    report: &mut Report,
) -> Result<()> {
    let Some(mut stage) = compared(database, chosen, document, &Purpose::Trial, report).await? else {
        return Ok(());
    };
    let rehearsed = stage.rehearse(&LIMITS).instrument(span("rehearse")).await;
    stage.close().await;
    Ok(rehearsed?)
}

/// A stage with all rows, or `None` if the import is refused.
async fn compared(
    database: &SqlSource,
    Chosen { wanted, rows, .. }: Chosen,
    document: Document,
    purpose: &Purpose,
    report: &mut Report,
) -> Result<Option<Stage>> {
    database.check_same().await?;
    let mut target: Target = database.open_target().await?;
    let inspection: Inspection = target.inspect(&wanted).await?;
    report.inspected(&inspection);
    if report.is_refused() {
        target.close().await;
        return Ok(None);
    }
    let mut stage = target.stage(&wanted, &inspection.fingerprint, purpose).await?;
    failpoint::reached("import.staging");
    load(rows, document, &mut stage).instrument(span("stage rows")).await?;
    failpoint::reached("import.loaded");
    report.compared(&stage.compare().instrument(span("compare rows")).await?);
    if report.is_refused() {
        stage.close().await;
        return Ok(None);
    }
    Ok(Some(stage))
}
