//! Operations that a dead process left in the audit log without an end.
//!
//! At start-up, the operations that the previous process of this instance left are closed before the first new one
//! begins; afterwards the two could not be told apart. Those of other instances are closed by age, at start-up and every
//! hour, once no operation can be that old.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};
use tokio::sync::OnceCell;

use super::kind::Kind;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::health::is_watched;
use crate::said::Said;
use crate::vault_client::VaultClient;

/// On top of the longest operation: time for its last event.
const GRACE: Duration = Duration::from_secs(5 * 60);
const PERIOD: Duration = Duration::from_secs(3600);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Closes abandoned operations.
pub(crate) struct Unfinished {
    vault: VaultClient,
    clock: Arc<dyn Clock>,
    instance: String,
    /// Each with the longest that one may take.
    kinds: Vec<(&'static Kind, Duration)>,
    closed_own: OnceCell<()>,
}

impl Unfinished {
    /// For operations of these kinds, each with the longest that one may take.
    pub(crate) fn create(
        vault: VaultClient,
        clock: Arc<dyn Clock>,
        instance: String,
        kinds: Vec<(&'static Kind, Duration)>,
    ) -> Self {
        Self { vault, clock, instance, kinds, closed_own: OnceCell::new() }
    }

    /// What tells this process's operations from those of other replicas.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// Closes what an earlier process of this instance left, once in this process's life. An operation waits for
    /// it, so that none of this process is ever closed.
    ///
    /// # Errors
    /// The vault's, which then keeps the operation from starting too.
    pub(crate) async fn close_own(&self) -> Result<()> {
        self.closed_own.get_or_try_init(|| self.close(&self.instance)).await?;
        Ok(())
    }

    /// Does it as soon as the vault answers, then by age every hour until `shutdown`.
    pub(crate) async fn keep_closing(&self, shutdown: Shutdown) {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, shutdown.clone());
        let mut said = Said::default();
        while let Err(error) = self.close_own().await {
            if let Some(error) = said.news(own_fault(&error)) {
                tracing::warn!(error, "operations of an earlier process cannot be closed yet");
            }
            if !backoff.wait().await {
                return;
            }
        }
        while shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_some() {
            let failed = self.close("").await.err().as_ref().and_then(own_fault);
            if let Some(error) = said.news(failed) {
                tracing::warn!(error, "old operations cannot be closed; it is tried every hour");
            }
        }
    }

    /// Those of `instance`, unless it is empty, and those that are too old to be running.
    async fn close(&self, instance: &str) -> Result<()> {
        for (kind, limit) in &self.kinds {
            let Some(started) = kind.started else { continue };
            let age = i64::try_from((*limit + GRACE).as_micros()).unwrap_or(i64::MAX);
            let before = self.clock.now_micros().saturating_sub(age);
            let closed = self.vault.close_operations(started, kind.ended, instance, before).await?;
            if closed > 0 {
                let kind = kind.name;
                tracing::warn!(
                    kind,
                    closed,
                    "operations without an end were closed with the outcome unknown"
                );
            }
        }
        Ok(())
    }
}

/// What is wrong, unless the log has it as the state of the vault.
fn own_fault(error: &Error) -> Option<String> {
    (!is_watched(error)).then(|| error.to_string())
}
