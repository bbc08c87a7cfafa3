//! Background tasks: following the stored ring, destroying due versions, re-encrypting, sweeping, counting values, and
//! logging the audit log's head.

mod census;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::audit::log_head;
use crate::bootstrap::Vault;
use crate::error::Result;
use crate::keys::{Reencryption, Retirement, Ring};

/// A rotation must take effect in every process within five seconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts the tasks. They end on `shutdown`, or at once when the set is dropped.
pub(crate) fn start(vault: &Vault, shutdown: &Shutdown) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (ring, retirement) = (Arc::clone(&vault.ring), Arc::clone(&vault.retirement));
    tasks.spawn(watch_ring(ring, retirement, shutdown.clone()));
    tasks.spawn(work_on_jobs(Arc::clone(&vault.reencryption), shutdown.clone()));
    tasks.spawn(log_head(Arc::clone(&vault.audit), shutdown.clone()));
    tasks.spawn(sweep::run(Arc::clone(&vault.store), Arc::clone(&vault.clock), shutdown.clone()));
    let (keys, ledger, metrics) =
        (Arc::clone(&vault.keys), Arc::clone(&vault.ledger), vault.metrics.census.clone());
    tasks.spawn(census::run(keys, ledger, metrics, shutdown.clone()));
    tasks.spawn(vault.metrics.tampered.clone().watch(Arc::clone(&vault.store), shutdown.clone()));
    tasks
}

async fn watch_ring(ring: Arc<Ring>, retirement: Arc<Retirement>, shutdown: Shutdown) {
    while shutdown.unless_begun(sleep(INTERVAL)).await.is_some() {
        report("following the key ring", ring.reload().await);
        report("destroying key versions", retirement.destroy_due().await);
    }
}

/// Looks for a re-encryption run at start-up and when this process is asked for one; also looks at every interval for a
/// run whose process has died.
async fn work_on_jobs(reencryption: Arc<Reencryption>, shutdown: Shutdown) {
    while let Some(worked) = shutdown.unless_begun(reencryption.work()).await {
        report("re-encrypting", worked);
        let waited = shutdown.unless_begun(timeout(INTERVAL, reencryption.started())).await;
        if waited.is_none() {
            break;
        }
    }
    reencryption.stop();
    report("releasing a re-encryption", reencryption.release().await);
}

fn report(what: &str, result: Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what} failed; trying again");
    }
}
