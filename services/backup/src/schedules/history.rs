//! Backups of a schedule, and runs that made none.

use uuid::Uuid;

use super::rules::Rules;
use crate::backups::record::{Selection, to_json};
use crate::error::Result;
use crate::store::{BackupFilter, BackupRow, BackupState, ScheduleRow, Store, StoredBackup};

/// A run that made nothing, as a backup that has failed: its due time and now, and why.
pub(super) fn failed(
    schedule: &ScheduleRow,
    (due, now): (i64, i64),
    (reason, problem): (&str, &str),
) -> BackupRow {
    let rules = Rules::of(schedule).unwrap_or_default();
    let Rules { include, tables, .. } = rules;
    BackupRow {
        id: Uuid::now_v7().to_string(),
        file_name: String::new(),
        state: BackupState::Failed,
        creator: schedule.creator.clone(),
        request: None,
        create_time: now,
        end_time: Some(now),
        reason: reason.to_owned(),
        problem: problem.to_owned(),
        selection: to_json(&Selection { include, tables, since: None, seal: "configured".to_owned() }),
        content: String::new(),
        hold: false,
        delete_time: None,
        purge_time: None,
        verify_time: None,
        verification: String::new(),
        progress: String::new(),
        revision: 1,
        record_revision: 1,
        schedule: Some(schedule.name.clone()),
        due_time: Some(due),
    }
}

/// Of backups that were stored.
pub(super) const STORED: [BackupState; 3] =
    [BackupState::Available, BackupState::Deleted, BackupState::Deleting];
/// Of those, and of backups that failed.
pub(super) const ENDED: [BackupState; 4] =
    [BackupState::Available, BackupState::Deleted, BackupState::Deleting, BackupState::Failed];

/// The schedule's newest backup in one of these states, in any where there are none.
pub(super) async fn newest(
    store: &dyn Store,
    name: &str,
    states: &[BackupState],
) -> Result<Option<StoredBackup>> {
    let filter = BackupFilter::of_schedule(name, states);
    Ok(store.backups(&filter, 1).await?.pop())
}
