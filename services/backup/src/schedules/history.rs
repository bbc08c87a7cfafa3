//! Backups of a schedule, including runs that made none.

use uuid::Uuid;

use super::rules::Rules;
use crate::backups::record::{Selection, to_json};
use crate::error::Result;
use crate::store::{BackupFilter, BackupRow, BackupState, ScheduleRow, Store, StoredBackup};

/// A run without a backup, as a failed backup: with its due time, the current time, and the reason.
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

/// States of stored backups.
pub(super) const STORED: [BackupState; 3] =
    [BackupState::Available, BackupState::Deleted, BackupState::Deleting];
/// States of stored and failed backups.
pub(super) const ENDED: [BackupState; 4] =
    [BackupState::Available, BackupState::Deleted, BackupState::Deleting, BackupState::Failed];

/// The schedule's newest backup in one of these states; in any state if the list is empty.
pub(super) async fn newest(
    store: &dyn Store,
    name: &str,
    states: &[BackupState],
) -> Result<Option<StoredBackup>> {
    let filter = BackupFilter::of_schedule(name, states);
    Ok(store.backups(&filter, 1).await?.pop())
}
