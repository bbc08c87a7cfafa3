//! A database being restored: the steps of `strongroom_tables::load`, in the order that a restore needs.

use std::sync::Arc;
use std::time::Duration;

use strongroom_tables::load::{
    Comparison, Inspection, Mode, Purpose, RestoreState, Stage, SwapLimits, Wanted,
};
use strongroom_tables::{Error as TablesError, Result as TablesResult};

use super::{Changed, Compared, Marker, Place};
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Archive;
use crate::restore::loading::{Shared, find_rows, load};
use crate::restore::report;
use crate::restore::resealing::Resealing;
use crate::restore::selection::Selected;
use crate::sources::SqlSource;
use strongroom_runtime::failpoint;

/// How long a swap, or a rollback, tries to get its locks.
const LOCK: Duration = Duration::from_secs(60);

/// For empty tables, no comparison is needed: every row is new.
pub(super) async fn compare(
    source: &SqlSource,
    archive: Archive,
    (selected, wanted): (&Selected, &Wanted),
    progress: &Shared,
) -> Result<Compared> {
    let mut target = source.open_target().await?;
    let inspection = target.inspect(wanted).await?;
    match source.check_same().await {
        Ok(()) => {}
        Err(error @ Error::Restore(RestoreError::OtherDatabase(_))) => {
            target.close().await;
            return Ok(refused(selected, wanted, &inspection, &error));
        }
        Err(error) => return Err(error),
    }
    if wanted.mode == Mode::IntoEmpty || !inspection.refusals.is_empty() {
        target.close().await;
        if let Err(error) = find_rows(archive, selected).await {
            return match error {
                Error::Restore(RestoreError::RowsMissing { .. }) => {
                    Ok(refused(selected, wanted, &inspection, &error))
                }
                error => Err(error),
            };
        }
        return Ok(compared(selected, wanted, &inspection, None));
    }
    let mut stage = target.stage(wanted, &inspection.fingerprint, &Purpose::Trial).await?;
    let loaded = load(archive, selected, None, &mut stage, progress).await;
    match loaded {
        Ok(_) => {}
        // A value that a column does not accept is a reason to refuse, like a missing column.
        Err(Error::Tables(error @ (TablesError::Value { .. } | TablesError::Constraint { .. }))) => {
            stage.close().await;
            return Ok(refused(selected, wanted, &inspection, &error.into()));
        }
        Err(error @ Error::Restore(RestoreError::RowsMissing { .. })) => {
            stage.close().await;
            return Ok(refused(selected, wanted, &inspection, &error));
        }
        Err(error) => return Err(error),
    }
    report::begin_phase(progress, "compare");
    let comparison = stage.compare().await?;
    stage.close().await;
    Ok(compared(selected, wanted, &inspection, Some(&comparison)))
}

fn refused(selected: &Selected, wanted: &Wanted, inspection: &Inspection, error: &Error) -> Compared {
    let mut compared = compared(selected, wanted, inspection, None);
    compared.refusals.insert(0, report::refusal(selected.source(), error));
    compared
}

fn compared(
    selected: &Selected,
    wanted: &Wanted,
    inspection: &Inspection,
    comparison: Option<&Comparison>,
) -> Compared {
    let compared = comparison.map(|found| found.refusals.as_slice()).unwrap_or_default();
    let found = inspection.refusals.iter().chain(compared);
    Compared {
        plan: report::database(&selected.record, wanted, inspection, comparison),
        refusals: found.map(|refusal| report::table_refusal(selected.source(), refusal)).collect(),
        fingerprint: inspection.fingerprint.clone(),
        place: Place::Database(inspection.place.clone()),
    }
}

/// Checks that it has not changed since the restore was planned.
pub(super) async fn check(source: &SqlSource, wanted: &Wanted, planned: &str) -> Result<()> {
    source.check_same().await?;
    let mut target = source.open_target().await?;
    let inspection = target.inspect(wanted).await;
    target.close().await;
    let inspection = inspection?;
    if inspection.fingerprint != planned {
        return Err(TablesError::Stale { name: wanted.record.name.clone() }.into());
    }
    Ok(())
}

pub(super) async fn stage(
    source: &SqlSource,
    archive: Archive,
    (selected, wanted, resealing): (&Selected, &Wanted, Option<&Arc<Resealing>>),
    (id, fingerprint, progress): (&str, &str, &Shared),
) -> Result<Stage> {
    source.check_same().await?;
    let target = source.open_target().await?;
    let mut stage = target.stage(wanted, fingerprint, &Purpose::Restore(id.to_owned())).await?;
    failpoint::reached("restore.stage_begun");
    load(archive, selected, resealing, &mut stage, progress).await?;
    failpoint::reached("restore.loaded");
    stage.keep().await?;
    Ok(stage)
}

pub(super) async fn swap(stage: Stage, most: Option<Duration>) -> Result<Changed> {
    let swapped = stage.swap(&SwapLimits { lock: LOCK, pause: most }).await?;
    let mut changed = Changed { paused: swapped.paused, ..Changed::default() };
    swapped.tables.iter().for_each(|table| changed.add(table));
    Ok(changed)
}

pub(super) async fn marker(source: &SqlSource, id: &str) -> Result<Option<Marker>> {
    let mut target = source.open_target().await?;
    let state = target.state_of(id).await;
    target.close().await;
    Ok(state?.map(Marker::from))
}

pub(super) async fn final_marker(source: &SqlSource, id: &str) -> Result<Option<Marker>> {
    let mut target = source.open_target().await?;
    let found = async {
        target.end_sessions(id).await?;
        target.state_of(id).await
    };
    let found: TablesResult<Option<RestoreState>> = found.await;
    target.close().await;
    Ok(found?.map(Marker::from))
}

pub(super) async fn discard(source: &SqlSource, id: &str, only: Marker) -> Result<bool> {
    let only = match only {
        Marker::Staged => RestoreState::Staged,
        Marker::Swapping | Marker::Applied => RestoreState::Applied,
    };
    let mut target = source.open_target().await?;
    let done = target.discard(id, only).await;
    target.close().await;
    Ok(done?)
}

pub(super) async fn check_roll_back(source: &SqlSource, id: &str, discard_changes: bool) -> Result<()> {
    let mut target = source.open_target().await?;
    let checked = target.check_roll_back(id, discard_changes, LOCK).await;
    target.close().await;
    Ok(checked?)
}

pub(super) async fn roll_back(source: &SqlSource, id: &str, discard_changes: bool) -> Result<u64> {
    let mut target = source.open_target().await?;
    let rolled = target.roll_back(id, discard_changes, LOCK).await;
    target.close().await;
    let rows = rolled?.tables.into_iter();
    Ok(rows.map(|(_, changes)| changes.created + changes.changed + changes.deleted).sum())
}
