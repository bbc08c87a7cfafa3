//! Counts the values that need each key version, for the metrics: an alert reminds people of versions that they could
//! retire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;

use crate::error::Result;
use crate::keys::{Keys, Ledger};
use crate::metrics::CensusMetrics;

/// A count reads whole tables, and the alert works on a scale of days.
const PERIOD: Duration = Duration::from_secs(300);

/// Counts at once, then every five minutes until `shutdown`.
pub(crate) async fn run(keys: Arc<Keys>, ledger: Arc<Ledger>, metrics: CensusMetrics, shutdown: Shutdown) {
    loop {
        let counted = shutdown.unless_begun(count(&keys, &ledger, &metrics)).await;
        if let Some(Err(error)) = counted {
            tracing::warn!(%error, "the values of key versions were not counted; trying again in five minutes");
        }
        if shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}

async fn count(keys: &Keys, ledger: &Ledger, metrics: &CensusMetrics) -> Result<()> {
    let versions = keys.versions().await?;
    let mut values: BTreeMap<String, i64> = BTreeMap::new();
    for count in ledger.census("").await?.counts {
        *values.entry(count.kid).or_default() += count.value_count;
    }
    metrics.set(&versions, &values);
    Ok(())
}
