//! Taking an applied restore back, from what it kept in its target.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::AuditOutcome;
use strongroom_tables::load::RestoreState as Marker;

use super::Base;
use super::apply::marker;
use super::journal::{Journal, add_step};
use super::record::{Request, StepName};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, put};
use crate::store::{RestoreRow, RestoreState};

/// How long the locks are tried for.
const LOCK: Duration = Duration::from_secs(60);

/// One restore that is being taken back.
pub(super) struct RollingBack {
    pub(super) base: Base,
    pub(super) request: Request,
    pub(super) journal: Arc<Journal>,
    pub(super) id: String,
    pub(super) discard_changes: bool,
}

impl RollingBack {
    pub(super) async fn roll_back(self) -> Result<Ended<()>> {
        let source = self.request.sources.first().cloned();
        let source = source.ok_or_else(|| Error::Defect("a restore without a source".into()))?;
        let database = super::ending::database(&self.base, &source)?;
        // Afterwards, a target without the marker is one that was taken back.
        if marker(database, &self.id).await? != Some(Marker::Applied) {
            let (name, restore) = (source, self.id);
            return Err(strongroom_tables::Error::NotApplied { name, restore }.into());
        }
        self.journal.step(&source, StepName::RollingBack).await?;
        failpoint::reached("rollback.begun");
        let mut target = database.open_target().await?;
        let rolled = target.roll_back(&self.id, self.discard_changes, LOCK).await?;
        target.close().await;
        failpoint::reached("rollback.done");
        self.journal.change(|row, now| rolled_back(row, now, &source)).await?;
        failpoint::reached("rollback.recorded");
        let rows = rolled
            .tables
            .iter()
            .map(|(_, changes)| changes.created + changes.changed + changes.deleted)
            .sum::<u64>();
        let mut metadata = Metadata::new();
        put(&mut metadata, "rows", rows);
        put(&mut metadata, "discard_changes", self.discard_changes);
        let size = Size { bytes: 0, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
    }
}

/// The row of a restore that was taken back.
pub(super) fn rolled_back(row: &mut RestoreRow, now: i64, source: &str) -> Result<()> {
    add_step(row, now, source, StepName::RolledBack)?;
    row.state = RestoreState::RolledBack;
    row.end_time = Some(now);
    row.rollback_time = None;
    row.progress.clear();
    row.reason.clear();
    row.problem.clear();
    Ok(())
}
