//! What the vault does unasked: following the stored ring, destroying what is due, re-encrypting, sweeping,
//! anchoring the audit log's head in the process log.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::audit::log_head;
use crate::error::Result;
use crate::sweep;
use crate::vault::Vault;

/// A rotation must be felt within five seconds in every process.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts it; it ends with `shutdown`, or at once when the set is dropped.
pub(crate) fn start(vault: &Arc<Vault>, shutdown: &Shutdown) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(watch_ring(Arc::clone(vault), shutdown.clone()));
    tasks.spawn(work_on_jobs(Arc::clone(vault), shutdown.clone()));
    tasks.spawn(log_head(Arc::clone(vault), shutdown.clone()));
    tasks.spawn(sweep::run(Arc::clone(vault), shutdown.clone()));
    tasks
}

async fn watch_ring(vault: Arc<Vault>, shutdown: Shutdown) {
    while shutdown.unless_begun(sleep(INTERVAL)).await.is_some() {
        report("following the key ring", vault.reload_ring().await);
        report("destroying key versions", vault.destroy_due_versions().await);
    }
}

/// Looks for a run at the start, when one is asked for here, and now and then for one that lost its process.
async fn work_on_jobs(vault: Arc<Vault>, shutdown: Shutdown) {
    while let Some(worked) = shutdown.unless_begun(vault.work_on_reencrypt()).await {
        report("re-encrypting", worked);
        let waited = shutdown.unless_begun(timeout(INTERVAL, vault.jobs.started())).await;
        if waited.is_none() {
            break;
        }
    }
    vault.jobs.stop();
    report("giving back a re-encryption", vault.release_reencrypt().await);
}

fn report(what: &str, result: Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what} failed; it is tried again");
    }
}
