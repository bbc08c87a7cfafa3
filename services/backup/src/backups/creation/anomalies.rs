//! Detects that a schedule's backup has less content than earlier ones. A verification cannot find this: the archive of
//! a database that was emptied, or of a wrong one, is intact.

use crate::backups::record::{Content, from_json};
use crate::error::{Result, ScheduleError};
use crate::store::{BackupFilter, BackupRow, BackupState, Store};

/// Number of earlier backups to compare with.
const COMPARED: usize = 5;
/// Number of the schedule's newest backups among which they are searched.
const LOOKED_AT: i64 = 20;
/// Minimum number for which a median is meaningful.
const LEAST: usize = 3;
/// Maximum number of sentences that are kept.
const MOST: usize = 20;

/// Selects the backups to compare with: stored ones of the same schedule and selection.
pub(super) struct Comparison {
    schedule: String,
    selection: String,
    /// The run was due and nobody requested it, so an empty backup is an error.
    is_due: bool,
}

impl Comparison {
    /// For a backup that begins; `None` unless a schedule makes it.
    pub(super) fn of(row: &BackupRow) -> Option<Self> {
        let (schedule, selection) = (row.schedule.clone()?, row.selection.clone());
        Some(Self { schedule, selection, is_due: row.due_time.is_some() })
    }

    /// The anomalies of `content`, as sentences.
    ///
    /// # Errors
    /// [`ScheduleError::Empty`] if only the vault's rows are left, unless somebody requested the backup.
    pub(super) async fn anomalies(&self, store: &dyn Store, content: &Content) -> Result<Vec<String>> {
        let filter = BackupFilter::of_schedule(&self.schedule, &[BackupState::Available]);
        let last = store.backups(&filter, LOOKED_AT).await?;
        let same = last.iter().filter(|backup| backup.row.selection == self.selection);
        let before: Vec<Content> = same.take(COMPARED).map(|backup| from_json(&backup.row.content)).collect();
        judge(content, &before, self.is_due)
    }
}

/// `before` has the newest first.
fn judge(content: &Content, before: &[Content], is_due: bool) -> Result<Vec<String>> {
    let Some(last) = before.first() else { return Ok(Vec::new()) };
    let had = last.rows_beside_vault + last.files;
    if is_due && had > 0 && content.rows_beside_vault + content.files == 0 {
        return Err(ScheduleError::Empty(had).into());
    }
    let mut odd: Vec<String> = emptied(content, last).chain(shrunk(content.rows, before)).collect();
    odd.truncate(MOST);
    Ok(odd)
}

/// Empty if tables were not counted.
fn emptied(content: &Content, last: &Content) -> impl Iterator<Item = String> {
    let is_counted = !content.table_rows.is_empty();
    let had_rows = last.table_rows.iter().filter(move |(_, rows)| is_counted && **rows > 0);
    had_rows.filter_map(|(table, rows)| match content.table_rows.get(table) {
        Some(0) => Some(format!("table {table} has no rows; it had {rows} in the previous backup")),
        Some(_) => None,
        None => Some(format!("table {table} is not in it; it had {rows} rows in the previous backup")),
    })
}

/// Reports fewer than half of the median number of rows.
fn shrunk(rows: i64, before: &[Content]) -> Option<String> {
    let mut all: Vec<i64> = before.iter().map(|content| content.rows).collect();
    all.sort_unstable();
    let median = *all.get(all.len() / 2).filter(|_| all.len() >= LEAST)?;
    let is_less = rows.saturating_mul(2) < median;
    is_less.then(|| format!("it has {rows} rows, less than half of the usual {median}"))
}

#[cfg(test)]
mod tests;
