//! Operations of a dead process that have no end in the audit log.
//!
//! Each start event names the process that ran it. When that process is declared dead ([`crate::membership`]), its heir
//! closes the operations that it left. In case the database that knows the processes was lost, operations are also
//! closed by age, at start-up and every hour, once no operation can be that old.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};

use super::kind::Kind;
use crate::error::{Error, Result};
use crate::health::is_watched;
use crate::said::Said;
use crate::vault_client::VaultClient;

/// Time for the last event, added to the maximum duration of an operation.
const GRACE: Duration = Duration::from_secs(5 * 60);
const PERIOD: Duration = Duration::from_secs(3600);

/// Closes abandoned operations.
pub(crate) struct Unfinished {
    vault: VaultClient,
    clock: Arc<dyn Clock>,
    /// Kinds, each with its maximum duration.
    kinds: Vec<(&'static Kind, Duration)>,
}

impl Unfinished {
    /// For operations of these kinds, each with its maximum duration.
    pub(crate) fn create(
        vault: VaultClient,
        clock: Arc<dyn Clock>,
        kinds: Vec<(&'static Kind, Duration)>,
    ) -> Self {
        Self { vault, clock, kinds }
    }

    /// Closes operations by age, now and every hour until `shutdown`.
    pub(crate) async fn keep_closing_old(&self, shutdown: &Shutdown) {
        let mut said = Said::default();
        loop {
            let failed = self.close("").await.err().as_ref().and_then(own_fault);
            if let Some(error) = said.news(failed) {
                tracing::warn!(error, "old operations cannot be closed; trying again every hour");
            }
            if shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_none() {
                return;
            }
        }
    }

    /// Closes the operations that the dead `process` left, unless `process` is empty, and those too old to be running.
    ///
    /// # Errors
    /// The vault's errors.
    pub(crate) async fn close(&self, process: &str) -> Result<()> {
        for (kind, limit) in &self.kinds {
            let Some(started) = kind.started else { continue };
            let age = i64::try_from((*limit + GRACE).as_micros()).unwrap_or(i64::MAX);
            let before = self.clock.now_micros().saturating_sub(age);
            let closed = self.vault.close_operations(started, kind.ended, process, before).await?;
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

/// The error's message; `None` if the log already has the error, as a change in the state of the vault or of the token.
fn own_fault(error: &Error) -> Option<String> {
    (!is_watched(error)).then(|| error.to_string())
}
