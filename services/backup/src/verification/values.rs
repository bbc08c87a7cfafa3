//! Sealed values: the vault is asked about each, and its verdicts are counted by column.
//!
//! One side reads rows on a thread of its own and makes batches of questions ([`rows`]); the other, here, asks the
//! vault and counts. One batch is being made, one waits and one is being asked, so that memory stays what three take.

mod rows;

use std::time::Duration;

use strongroom_api::backup::v1::verify_backup_response::{Column, Row};
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::check_decryptable_response::Verdict;
use strongroom_archive::EncryptedColumn;
use tokio::sync::mpsc;

use super::answers::Outlet;
use crate::error::Result;
use crate::vault::{Checks, Vault};
pub(super) use rows::Questions;

/// Rows that a column's verdict names.
const NAMED_ROWS: usize = 100;
/// The vault ends a stream in which nothing comes for a minute: a long table without sealed values, for example.
const QUIET: Duration = Duration::from_secs(20);
/// What the vault says of a version that it does not have.
const UNKNOWN: &str = "KEY_VERSION_NOT_FOUND";

/// Where a value stands: the place of its column among the declared ones, and its row's id.
pub(super) struct Place {
    column: usize,
    row: String,
}

/// Questions for the vault, and verdicts that need no vault.
#[derive(Default)]
pub(super) struct Batch {
    items: Vec<Item>,
    /// Of the items, in their order.
    places: Vec<Place>,
    /// Values that cannot be asked about, with the reason.
    refused: Vec<(Place, &'static str)>,
    bytes: usize,
}

/// Asks about every batch until there are no more, and returns what is known of `columns`.
///
/// # Errors
/// The vault's.
pub(super) async fn answer(
    vault: &Vault,
    columns: &[EncryptedColumn],
    mut batches: mpsc::Receiver<Batch>,
    outlet: &Outlet,
) -> Result<Vec<Column>> {
    let mut tally: Vec<Column> = columns.iter().map(uncounted).collect();
    let mut open: Option<Checks> = None;
    loop {
        let next = tokio::time::timeout(QUIET, batches.recv()).await;
        if let Some(checks) = open.take_if(|checks| next.is_err() || checks.is_old()) {
            checks.finish().await?;
        }
        match next {
            Ok(Some(batch)) => {
                outlet.count_values(batch.places.len() + batch.refused.len());
                judge(vault, &mut open, batch, &mut tally).await?;
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    if let Some(checks) = open {
        checks.finish().await?;
    }
    Ok(tally)
}

fn uncounted(column: &EncryptedColumn) -> Column {
    Column {
        table: column.table.clone(),
        column: column.column.clone(),
        key_id: column.key.clone(),
        ..Column::default()
    }
}

async fn judge(vault: &Vault, open: &mut Option<Checks>, batch: Batch, tally: &mut [Column]) -> Result<()> {
    let Batch { items, places, refused, .. } = batch;
    for (place, reason) in refused {
        let verdict = Verdict { reason: reason.to_owned(), ..Verdict::default() };
        count(&mut tally[place.column], place.row, verdict);
    }
    if items.is_empty() {
        return Ok(());
    }
    let checks = match open {
        Some(checks) => checks,
        None => open.insert(vault.begin_checks().await?),
    };
    for (place, verdict) in places.into_iter().zip(checks.ask(items).await?) {
        count(&mut tally[place.column], place.row, verdict);
    }
    Ok(())
}

fn count(column: &mut Column, row: String, verdict: Verdict) {
    column.values += 1;
    if verdict.decryptable {
        column.decryptable += 1;
        return;
    }
    match verdict.reason.as_str() {
        UNKNOWN => column.unknown_kid += 1,
        _ => column.undecryptable += 1,
    }
    if column.rows.len() < NAMED_ROWS {
        column.rows.push(Row { id: row, kid: verdict.kid, reason: verdict.reason });
    }
}
