//! Forgetting what is over: previous secrets after their grace, request ids after their day.
//!
//! Neither is used after its time in any case; this takes them out of the database within a minute.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;

use crate::vault::Vault;

const PERIOD: Duration = Duration::from_secs(60);

/// Sweeps every minute until `shutdown`. Replicas may sweep beside each other.
pub(crate) async fn run(vault: Arc<Vault>, shutdown: Shutdown) {
    while shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_some() {
        match vault.store.sweep(vault.now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "swept expired secrets and requests"),
            Err(error) => tracing::warn!(%error, "expired secrets were not swept; trying again in a minute"),
        }
    }
}
