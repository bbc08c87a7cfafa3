//! Finds rows that grant access and were changed outside the vault. It checks every few minutes, and reports them in
//! the status and the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_api::status::v1 as proto;
use strongroom_runtime::health::Report;
use strongroom_runtime::metrics::{Kind, Sample};
use strongroom_runtime::{Metrics, Shutdown};

use crate::store::columns::counted;
use crate::store::key_names::ROWS_KEY;
use crate::store::{Examined, Store};

/// A check reads whole tables.
const PERIOD: Duration = Duration::from_secs(300);
/// The number of rows that an answer names.
const MAX_NAMED: usize = 100;

/// The rows found by the last check. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct TamperedRows(Arc<Mutex<Vec<Examined>>>);

impl TamperedRows {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let found = Self::default();
        let last = found.clone();
        let help = "Rows that grant access and were changed outside the vault, counted up to 100.";
        metrics
            .sampled(Kind::Gauge, "strongroom_vault_rows_tampered", help, &["table"], move || last.samples());
        found
    }

    fn samples(&self) -> Vec<Sample> {
        let sealed = counted(ROWS_KEY).into_iter().map(|column| column.table);
        let mut counts: BTreeMap<&str, u32> =
            sealed.chain(["key_versions"]).map(|table| (table, 0)).collect();
        for row in self.last().iter() {
            *counts.entry(row.table).or_default() += 1;
        }
        let sample =
            |(table, count): (&str, u32)| Sample { labels: vec![table.to_owned()], value: f64::from(count) };
        counts.into_iter().map(sample).collect()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Vec<Examined>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks at once, then every five minutes until `shutdown`.
    pub(crate) async fn watch(self, store: Arc<dyn Store>, shutdown: Shutdown) {
        loop {
            match shutdown.unless_begun(store.tampered_rows(MAX_NAMED)).await {
                Some(Ok(found)) => self.set(found),
                Some(Err(error)) => tracing::warn!(%error, "rows that grant access could not be checked"),
                None => return,
            }
            if shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_none() {
                return;
            }
        }
    }

    /// Each row is logged once, when it is found.
    fn set(&self, found: Vec<Examined>) {
        let mut last = self.last();
        for row in found.iter().filter(|row| !last.contains(row)) {
            tracing::error!(
                table = row.table,
                row = row.row,
                "TAMPERED: a row that grants access was changed outside the vault"
            );
        }
        *last = found;
    }
}

impl Report for TamperedRows {
    fn add(&self, status: &mut proto::Status) {
        let row =
            |found: &Examined| proto::TamperedRow { table: found.table.to_owned(), row: found.row.clone() };
        status.tampered_rows = self.last().iter().map(row).collect();
    }
}
