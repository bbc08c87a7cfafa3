//! What a schedule's backup has less of than those before it. A database that was emptied, or the wrong one, makes good archives.

use crate::backups::record::{Content, from_json};
use crate::error::{Result, ScheduleError};
use crate::store::{BackupFilter, BackupRow, BackupState, Store};

/// Backups before it that it is compared with.
const COMPARED: usize = 5;
/// Newest ones of the schedule among which they are looked for.
const LOOKED_AT: i64 = 20;
/// With fewer of them a median says nothing.
const LEAST: usize = 3;
/// Sentences that are kept.
const MOST: usize = 20;

/// What a backup of a schedule is compared with: stored ones of the same schedule and selection.
pub(super) struct Comparison {
    schedule: String,
    selection: String,
    /// Nobody has asked for it: an empty one is not wanted.
    is_due: bool,
}

impl Comparison {
    /// Of a backup that begins; `None` unless a schedule makes it.
    pub(super) fn of(row: &BackupRow) -> Option<Self> {
        let (schedule, selection) = (row.schedule.clone()?, row.selection.clone());
        Some(Self { schedule, selection, is_due: row.due_time.is_some() })
    }

    /// What is odd about `content`, as sentences.
    ///
    /// # Errors
    /// [`ScheduleError::Empty`] where nothing but the vault's rows is left, unless somebody has asked for the backup.
    pub(super) async fn anomalies(&self, store: &dyn Store, content: &Content) -> Result<Vec<String>> {
        let filter = BackupFilter::of_schedule(&self.schedule, &[BackupState::Available]);
        let last = store.backups(&filter, LOOKED_AT).await?;
        let same = last.iter().filter(|backup| backup.row.selection == self.selection);
        let before: Vec<Content> = same.take(COMPARED).map(|backup| from_json(&backup.row.content)).collect();
        judge(content, &before, self.is_due)
    }
}

/// `before`: the newest first.
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

/// Nothing where tables were not counted.
fn emptied(content: &Content, last: &Content) -> impl Iterator<Item = String> {
    let is_counted = !content.table_rows.is_empty();
    let had_rows = last.table_rows.iter().filter(move |(_, rows)| is_counted && **rows > 0);
    had_rows.filter_map(|(table, rows)| match content.table_rows.get(table) {
        Some(0) => Some(format!("table {table} has no rows; it had {rows} in the backup before")),
        Some(_) => None,
        None => Some(format!("table {table} is not in it; it had {rows} rows in the backup before")),
    })
}

/// Whether there are fewer than half of the median.
fn shrunk(rows: i64, before: &[Content]) -> Option<String> {
    let mut all: Vec<i64> = before.iter().map(|content| content.rows).collect();
    all.sort_unstable();
    let median = *all.get(all.len() / 2).filter(|_| all.len() >= LEAST)?;
    let is_less = rows.saturating_mul(2) < median;
    is_less.then(|| format!("it has {rows} rows, less than half of the {median} that are usual"))
}

#[cfg(test)]
mod tests;
