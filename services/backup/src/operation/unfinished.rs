//! Operations that a dead process left in the audit log without an end.
//!
//! Each start carries the process that it ran in. When that process is declared dead ([`crate::membership`]), whoever
//! inherits from it closes what it left. Where the database that knows processes is lost, operations are closed by age, at
//! start-up and every hour, once no operation can be that old.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};

use super::kind::Kind;
use crate::error::{Error, Result};
use crate::health::is_watched;
use crate::said::Said;
use crate::vault_client::VaultClient;

/// On top of the longest operation: time for its last event.
const GRACE: Duration = Duration::from_secs(5 * 60);
const PERIOD: Duration = Duration::from_secs(3600);

/// Closes abandoned operations.
pub(crate) struct Unfinished {
    vault: VaultClient,
    clock: Arc<dyn Clock>,
    /// Each with the longest that one may take.
    kinds: Vec<(&'static Kind, Duration)>,
}

impl Unfinished {
    /// For operations of these kinds, each with the longest that one may take.
    pub(crate) fn create(
        vault: VaultClient,
        clock: Arc<dyn Clock>,
        kinds: Vec<(&'static Kind, Duration)>,
    ) -> Self {
        Self { vault, clock, kinds }
    }

    /// Closes by age, now and every hour until `shutdown`.
    pub(crate) async fn keep_closing_old(&self, shutdown: &Shutdown) {
        let mut said = Said::default();
        loop {
            let failed = self.close("").await.err().as_ref().and_then(own_fault);
            if let Some(error) = said.news(failed) {
                tracing::warn!(error, "old operations cannot be closed; it is tried every hour");
            }
            if shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_none() {
                return;
            }
        }
    }

    /// Closes what the dead `process` left, unless that is empty, and what is too old to be running.
    ///
    /// # Errors
    /// The vault's.
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

/// What is wrong, unless the log has it as the state of the vault.
fn own_fault(error: &Error) -> Option<String> {
    (!is_watched(error)).then(|| error.to_string())
}
