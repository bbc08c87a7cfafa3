//! Sweeping: previous secrets after their grace and request ids after a day are deleted.
//!
//! Neither is used after its time in any case; the sweep removes them from the database within a minute.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};

use crate::store::Store;

const PERIOD: Duration = Duration::from_secs(60);

/// Sweeps every minute until `shutdown`. Replicas may sweep at the same time.
pub(crate) async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    while shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_some() {
        match store.sweep(clock.now_micros()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "swept expired secrets and requests"),
            Err(error) => tracing::warn!(%error, "expired secrets were not swept; trying again in a minute"),
        }
    }
}
