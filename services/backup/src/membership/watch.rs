//! Watches other processes, and inherits from those that died.

use std::sync::Arc;
use std::time::Duration;

use strongroom_store::Result;
use tokio::time::{Instant, timeout};

use super::sightings::Sightings;
use super::{Heir, PATIENCE};
use crate::said::Said;
use crate::store::{ProcessRow, Processes};

/// A process's knowledge of the others.
pub(super) struct Watch {
    store: Arc<dyn Processes>,
    period: Duration,
    sightings: Sightings,
    /// When a failed inheritance is tried again.
    again: Option<Instant>,
    said: Said,
}

impl Watch {
    pub(super) fn create(store: Arc<dyn Processes>, period: Duration) -> Self {
        let sightings = Sightings::create(period * PATIENCE);
        Self { store, period, sightings, again: None, said: Said::default() }
    }

    /// Checks the others once. `own`: this process's id.
    pub(super) async fn look(&mut self, own: &str, heir: &dyn Heir) {
        let problem = self.try_look(own, heir).await.err().map(|error| error.to_string());
        if let Some(problem) = self.said.news(problem) {
            tracing::warn!(problem, "other processes cannot be watched; trying again");
        }
    }

    async fn try_look(&mut self, own: &str, heir: &dyn Heir) -> Result<()> {
        let asked = Instant::now();
        let patience = self.period * PATIENCE;
        let found = timeout(patience, self.store.processes()).await;
        let processes = found.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let others = processes.iter().filter(|process| process.serves() && process.id != own);
        let still = self.sightings.still(others, (asked, Instant::now()));
        let mut inherited: Vec<&ProcessRow> = processes.iter().filter(|dead| dead.heir == own).collect();
        let mut is_due = self.again.is_none_or(|again| again <= asked);
        for dead in still {
            if self.store.take_over(&dead.id, dead.beat, own).await? {
                tracing::warn!(
                    id = dead.id,
                    host = dead.host,
                    "a process died, and this one inherits its operations"
                );
                inherited.push(dead);
                is_due = true;
            }
        }
        if is_due { self.inherit(&inherited, heir).await } else { Ok(()) }
    }

    /// Ends the operations of these processes, and removes the processes. All are tried, even if one fails.
    async fn inherit(&mut self, inherited: &[&ProcessRow], heir: &dyn Heir) -> Result<()> {
        self.again = Some(Instant::now() + self.period);
        let mut ended = Ok(());
        let mut all_ended = true;
        for dead in inherited {
            match self.inherit_from(dead, heir).await {
                Ok(has_ended) => all_ended &= has_ended,
                Err(error) => (ended, all_ended) = (Err(error), false),
            }
        }
        if all_ended {
            self.again = None;
        }
        ended
    }

    async fn inherit_from(&self, dead: &ProcessRow, heir: &dyn Heir) -> Result<bool> {
        let operations = self.store.operations(&dead.id).await?;
        if !heir.inherit(dead, operations).await {
            return Ok(false);
        }
        self.store.leave(&dead.id).await
    }
}
