//! What a schedule's backup has less of than those before it. A database that was emptied, or the wrong one, makes good archives.

use crate::backups::record::Content;
use crate::error::{Result, ScheduleError};

/// Backups before it that it is compared with.
pub(super) const COMPARED: i64 = 5;
/// With fewer of them a median says nothing.
const LEAST: usize = 3;
/// Sentences that are kept.
const MOST: usize = 20;

/// `content` with what is odd about it, compared with `before`, the newest first.
///
/// # Errors
/// [`ScheduleError::Empty`] where nothing but the vault's rows is left.
pub(super) fn judge(mut content: Content, before: &[Content]) -> Result<Content> {
    let Some(last) = before.first() else { return Ok(content) };
    let had = last.rows_beside_vault + last.files;
    if had > 0 && content.rows_beside_vault + content.files == 0 {
        return Err(ScheduleError::Empty(had).into());
    }
    let mut odd: Vec<String> = emptied(&content, last).collect();
    odd.extend(shrunk(content.rows, before));
    odd.truncate(MOST);
    content.anomalies = odd;
    Ok(content)
}

/// Nothing where tables were not counted.
fn emptied(content: &Content, last: &Content) -> impl Iterator<Item = String> {
    let is_counted = !content.table_rows.is_empty();
    last.table_rows.iter().filter(move |(_, rows)| is_counted && **rows > 0).filter_map(|(table, rows)| {
        match content.table_rows.get(table) {
            Some(0) => Some(format!("table {table} has no rows; it had {rows} in the backup before")),
            Some(_) => None,
            None => Some(format!("table {table} is not in it; it had {rows} rows in the backup before")),
        }
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
