//! Removes previous secrets after their grace period, request ids after a day, and leftovers of restores after their
//! deletion time.
//!
//! None of these is used after its time in any case; the sweep removes them from the database within a minute.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};

use crate::store::Store;

/// Retention of the grant of a dropped stage, in microseconds: longer than a grant's lifetime.
const REMEMBERED: i64 = 48 * 3600 * 1_000_000;

const PERIOD: Duration = Duration::from_secs(60);

/// Sweeps every minute until `shutdown`. Replicas may sweep at the same time.
pub(crate) async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    while shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_some() {
        let now = clock.now_micros();
        if let Err(error) = store.sweep_stages(now, now - REMEMBERED).await {
            tracing::warn!(%error, "expired restores were not swept; trying again in a minute");
        }
        match store.sweep(now).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "swept expired secrets and requests"),
            Err(error) => tracing::warn!(%error, "expired secrets were not swept; trying again in a minute"),
        }
    }
}
