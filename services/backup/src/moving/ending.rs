//! Removes the leftovers of an import in its database: the stage of a failed import, and the data that a swap keeps for
//! a rollback. An import cannot be rolled back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_runtime::Shutdown;
use strongroom_tables::load::{RestoreState, Target};

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::sources::{Sources, SqlSource};
use crate::store::{OperationRow, Store};
use strongroom_runtime::failpoint;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long the answer of an import waits for the removal.
const SOON: Duration = Duration::from_secs(10);
/// Maximum number of states to go through: staged, applied meanwhile, gone.
const LOOKS: usize = 3;

/// The import whose source is reserved, until its leftovers are removed.
#[derive(Default)]
pub(super) struct Begun(Mutex<Option<(OperationRow, String)>>);

impl Begun {
    pub(super) fn remember(&self, operation: &OperationRow, source: &str) {
        let begun = Some((operation.clone(), source.to_owned()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    fn take(&self) -> Option<(OperationRow, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Ends imports.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(super) store: Arc<dyn Store>,
    pub(super) sources: Arc<Sources>,
    pub(super) shutdown: Shutdown,
}

impl Ending {
    /// Settles an import that did not do so itself; retries until it succeeds or the process stops. Returns after a
    /// limited time in any case.
    pub(super) async fn settle_soon(&self, begun: Arc<Begun>) {
        let Some((operation, source)) = begun.take() else { return };
        failpoint::reached("import.recorded");
        let ending = self.clone();
        let settling = tokio::spawn(async move { ending.settle(&operation, &source).await });
        // It continues when nobody waits for it any more.
        let _ = tokio::time::timeout(SOON, settling).await;
    }

    async fn settle(&self, operation: &OperationRow, source: &str) {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, self.shutdown.clone());
        let mut has_said = false;
        while let Err(error) = self.try_settle(operation, source).await {
            if !std::mem::replace(&mut has_said, true) {
                let id = operation.id.as_str();
                tracing::warn!(id, source, %error, "the remains of an import cannot be removed yet");
            }
            if !backoff.wait().await {
                return;
            }
        }
        failpoint::reached("import.settled");
    }

    /// Whether the import of a dead process was applied, which is final.
    ///
    /// # Errors
    /// The database's errors, while it does not answer.
    pub(super) async fn was_applied(&self, operation: &OperationRow, source: &str) -> Result<bool> {
        let mut target = database(&self.sources, source)?.open_target().await?;
        let found = async {
            target.end_sessions(&operation.id).await?;
            target.state_of(&operation.id).await
        };
        let found: strongroom_tables::Result<Option<RestoreState>> = found.await;
        target.close().await;
        Ok(found? == Some(RestoreState::Applied))
    }

    /// One attempt to remove the leftovers of an import. If another process has taken over, this one removes only data
    /// that its heir cannot have seen.
    ///
    /// # Errors
    /// Errors of the store, and of the database while it does not answer.
    pub(super) async fn try_settle(&self, operation: &OperationRow, source: &str) -> Result<()> {
        let is_ours = self.store.operations(&operation.owner).await?.contains(operation);
        let mut target = database(&self.sources, source)?.open_target().await?;
        let cleared = if is_ours {
            clear(&mut target, &operation.id).await
        } else {
            target.discard(&operation.id, RestoreState::Staged).await.map(drop)
        };
        target.close().await;
        cleared?;
        self.store.end_import(operation).await?;
        Ok(())
    }
}

/// Removes everything of an import on which no process works any more.
async fn clear(target: &mut Target, id: &str) -> strongroom_tables::Result<()> {
    target.end_sessions(id).await?;
    for _ in 0..LOOKS {
        let Some(state) = target.state_of(id).await? else { break };
        target.discard(id, state).await?;
    }
    Ok(())
}

fn database<'a>(sources: &'a Sources, source: &str) -> Result<&'a SqlSource> {
    let found = sources.all().iter().find(|other| other.name() == source);
    found
        .and_then(|source| source.database())
        .ok_or_else(|| Error::Config(format!("source {source} is no longer a database of the configuration")))
}
