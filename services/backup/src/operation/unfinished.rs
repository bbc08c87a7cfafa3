//! Exports that a dead process left in the audit log without an end.
//!
//! A start closes what its instance left, before its first own export: later it could not tell them apart.
//! What other instances left is closed by age, at start and every hour, once no export can be that old.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::{Clock, Shutdown};
use tokio::sync::OnceCell;

use crate::error::Result;
use crate::vault::Vault;

/// On top of the longest export: time for its last event.
const GRACE: Duration = Duration::from_secs(5 * 60);
const PERIOD: Duration = Duration::from_secs(3600);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Closes operations that nobody ends any more.
pub(crate) struct Leftovers {
    vault: Vault,
    clock: Arc<dyn Clock>,
    instance: String,
    /// Age in microseconds after which a started export is over.
    age: i64,
    closed_own: OnceCell<()>,
}

impl Leftovers {
    /// For exports of at most `limit`.
    pub(crate) fn create(vault: Vault, clock: Arc<dyn Clock>, instance: String, limit: Duration) -> Self {
        let age = i64::try_from((limit + GRACE).as_micros()).unwrap_or(i64::MAX);
        Self { vault, clock, instance, age, closed_own: OnceCell::new() }
    }

    /// Closes what an earlier process of this instance left, once in this process's life. An export waits
    /// for it, so that none of this process is ever closed.
    ///
    /// # Errors
    /// The vault's, which then keeps the export from starting too.
    pub(crate) async fn close_own(&self) -> Result<()> {
        self.closed_own.get_or_try_init(|| self.close(&self.instance)).await?;
        Ok(())
    }

    /// Does it as soon as the vault answers, then by age every hour until `shutdown`.
    pub(crate) async fn keep_closing(&self, shutdown: Shutdown) {
        let mut wait = FIRST_WAIT;
        while let Err(error) = self.close_own().await {
            tracing::warn!(%error, "exports of an earlier process cannot be closed yet");
            if shutdown.unless_begun(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        while shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_some() {
            if let Err(error) = self.close("").await {
                tracing::warn!(%error, "old exports cannot be closed; the next try is in an hour");
            }
        }
    }

    async fn close(&self, instance: &str) -> Result<()> {
        let started_before = self.clock.now_micros().saturating_sub(self.age);
        let closed = self.vault.close_exports(instance, started_before).await?;
        if closed > 0 {
            tracing::warn!(closed, "exports without an end were closed with the outcome unknown");
        }
        Ok(())
    }
}
