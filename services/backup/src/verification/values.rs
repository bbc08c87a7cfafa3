//! Sealed values: asks the vault about each, and counts its verdicts by column.
//!
//! A blocking thread reads rows and makes batches of questions ([`questions`]); the other side, here, asks the vault
//! and counts. One batch is being made, one waits and one is at the vault, so memory is limited to three batches.

mod batch;
mod questions;

use bytes::Bytes;
use strongroom_api::backup::v1::verify_backup_response::{Column, Row};
use strongroom_api::limits::KEY_VERSION_NOT_FOUND;
use strongroom_api::vault::v1::check_decryptable_response::Verdict;
use strongroom_archive::EncryptedColumn;
use tokio::sync::mpsc;

use super::progress::Reporter;
use crate::error::Result;
use crate::vault_client::{Checks, QUIET, VaultClient};
pub(super) use batch::Batch;
use batch::ValueLocation;
pub(super) use questions::Questions;

/// Maximum number of rows that a column's verdict names.
const NAMED_ROWS: usize = 100;
/// Maximum for all columns together: otherwise the verdict on an archive of a thousand columns could hold 100 MB of
/// ids.
const NAMED_IN_ALL: usize = 10_000;

/// Asks the vault about every batch, with the archive's ring if it is usable, until there are no more, and returns the
/// results for `columns`.
///
/// # Errors
/// The vault's errors.
pub(super) async fn answer(
    vault: (&VaultClient, Option<&Bytes>),
    columns: &[EncryptedColumn],
    mut batches: mpsc::Receiver<Batch>,
    reporter: &Reporter,
) -> Result<Vec<Column>> {
    let mut tally = Tally { columns: columns.iter().map(uncounted).collect(), named: 0 };
    let mut open: Option<Checks> = None;
    loop {
        // A long table without sealed values, for example, provides no questions for a while.
        let next = tokio::time::timeout(QUIET, batches.recv()).await;
        if let Some(checks) = open.take_if(|checks| next.is_err() || checks.is_old()) {
            checks.finish().await?;
        }
        match next {
            Ok(Some(batch)) => {
                reporter.count_values(batch.len());
                judge(vault, &mut open, batch, &mut tally).await?;
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    if let Some(checks) = open {
        checks.finish().await?;
    }
    Ok(tally.columns)
}

fn uncounted(column: &EncryptedColumn) -> Column {
    Column {
        table: column.table.clone(),
        column: column.column.clone(),
        key_id: column.key.clone(),
        ..Column::default()
    }
}

async fn judge(
    (vault, ring): (&VaultClient, Option<&Bytes>),
    open: &mut Option<Checks>,
    batch: Batch,
    tally: &mut Tally,
) -> Result<()> {
    let Batch { items, locations, refused, .. } = batch;
    for (location, reason) in refused {
        let verdict = Verdict { reason: reason.to_owned(), ..Verdict::default() };
        tally.count(&location, verdict);
    }
    if items.is_empty() {
        return Ok(());
    }
    let checks = match open {
        Some(checks) => checks,
        None => open.insert(vault.begin_checks(ring).await?),
    };
    for (location, verdict) in locations.into_iter().zip(checks.ask(items).await?) {
        tally.count(&location, verdict);
    }
    Ok(())
}

/// The counts so far.
struct Tally {
    columns: Vec<Column>,
    /// Number of rows named so far.
    named: usize,
}

impl Tally {
    fn count(&mut self, location: &ValueLocation, verdict: Verdict) {
        let column = &mut self.columns[location.column];
        column.values += 1;
        if verdict.decryptable {
            column.decryptable += 1;
            return;
        }
        match verdict.reason.as_str() {
            KEY_VERSION_NOT_FOUND => column.unknown_kid += 1,
            _ => column.undecryptable += 1,
        }
        if column.rows.len() < NAMED_ROWS && self.named < NAMED_IN_ALL {
            self.named += 1;
            let id = location.row.to_string();
            column.rows.push(Row { id, kid: verdict.kid, reason: verdict.reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_columns_together_name_no_more_rows_than_the_limit() {
        let mut tally = Tally { columns: vec![Column::default(); 200], named: 0 };
        for column in 0..200 {
            let location = ValueLocation { column, row: "7".into() };
            for _ in 0..NAMED_ROWS + 1 {
                tally.count(&location, Verdict::default());
            }
        }
        let named: Vec<usize> = tally.columns.iter().map(|column| column.rows.len()).collect();
        assert_eq!(named, [[NAMED_ROWS; 100], [0; 100]].concat());
        assert!(tally.columns.iter().all(|column| column.undecryptable == 101));
    }
}
