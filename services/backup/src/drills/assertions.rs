//! The fixed assertions about restored data: they are the same for every drill, so none can be forgotten.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::collections::BTreeMap;
use std::io::Read as _;

use sha2::{Digest as _, Sha256};
use strongroom_archive::CANARY_ENTRY;
use strongroom_store::DatabaseUrl;
use strongroom_tables::scratch::Scratch;

use super::evidence::{Finding, counted};
use super::rows::{RowSum, in_archive, in_database};
use crate::error::{Error, Result};
use crate::incoming::Archive;
use crate::restore::Part;

/// Number of bytes of a canary: 64 digits and a line feed.
const CANARY: u64 = 65;

/// The result of comparing the rows of one source.
pub(super) struct Compared {
    pub(super) rows: Finding,
    pub(super) digests: Finding,
    /// Number of rows that were read back.
    pub(super) total: u64,
}

/// The SHA-256 of the archive's canary in lower-case hex, if it has one.
///
/// # Errors
/// Errors of reading the archive.
pub(super) async fn canary(mut archive: Archive) -> Result<Option<String>> {
    tokio::task::spawn_blocking(move || {
        let Some(at) = archive.entries().iter().position(|entry| entry.name == CANARY_ENTRY) else {
            return Ok(None);
        };
        let mut text = String::new();
        let read = archive.entry_at(at)?.take(CANARY).read_to_string(&mut text);
        read.map_err(strongroom_archive::Error::from_read)?;
        Ok::<_, Error>(Some(hex::encode(Sha256::digest(text.trim_end()))))
    })
    .await?
}

/// Reads everything back from the database at `url`. `known` has the number of rows by table when the backup was made.
///
/// # Errors
/// Errors of reading the archive and the database.
pub(super) async fn compare(
    archive: Archive,
    part: &Part,
    url: &DatabaseUrl,
    known: &BTreeMap<String, i64>,
) -> Result<Compared> {
    let expected = in_archive(archive, part).await?;
    let found = in_database(url, part).await?;
    let names: Vec<&str> = part.tables().map(|table| table.schema.name.as_str()).collect();
    let total: u64 = found.iter().flatten().map(|sum| sum.rows).sum();
    let detail = format!("{}, {}", counted(names.len() as u64, "table"), counted(total, "row"));
    let (mut rows, mut digests) = (Vec::new(), Vec::new());
    for ((name, expected), found) in names.into_iter().zip(&expected).zip(&found) {
        rows.extend(count_problem(name, (expected, found.as_ref()), known.get(name)));
        let is_same = found.as_ref() == Some(expected);
        digests
            .extend((!is_same).then(|| format!("table {name} does not come back as it is in the archive")));
    }
    Ok(Compared { rows: Finding::of(detail.clone(), &rows), digests: Finding::of(detail, &digests), total })
}

fn count_problem(
    name: &str,
    (expected, found): (&RowSum, Option<&RowSum>),
    known: Option<&i64>,
) -> Option<String> {
    let Some(found) = found else { return Some(format!("table {name} was not restored")) };
    if found.rows != expected.rows {
        return Some(format!("table {name} came back with {} of {} rows", found.rows, expected.rows));
    }
    let known = known.filter(|known| known.unsigned_abs() != expected.rows)?;
    Some(format!("table {name} had {known} rows when the backup was made, and has {} now", expected.rows))
}

/// Checks every foreign key in the scratch database.
///
/// # Errors
/// The database's errors.
pub(super) async fn foreign_keys(part: &Part, scratch: &Scratch) -> Result<Finding> {
    let tables: Vec<_> = part.tables().map(|table| table.schema.clone()).collect();
    let report = scratch.follow(&tables).await?;
    let dangling = report.dangling.iter().map(|key| {
        let columns = key.columns.join(", ");
        let (rows, verb) = (counted(key.rows, "row"), if key.rows == 1 { "refers" } else { "refer" });
        format!("{rows} of {} {verb} to missing rows of {} ({columns})", key.table, key.to)
    });
    let checked = counted(report.checked, "foreign key");
    let detail = format!("{checked}, {} more could not be checked", report.unchecked);
    Ok(Finding::of(detail, &dangling.collect::<Vec<_>>()))
}
