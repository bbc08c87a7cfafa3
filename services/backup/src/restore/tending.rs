//! Removes expired data: plans that were not applied, the data that a restore keeps for a rollback, and uploads.

use std::time::Duration;

use strongroom_runtime::Shutdown;

use super::Restores;
use super::journal::add_step;
use super::record::{Request, StepName, request_of};
use super::target::{Marker, Target};
use crate::error::Result;
use crate::said::Said;
use crate::store::{Replaced, RestoreRow, RestoreState};

/// Interval between checks.
const PERIOD: Duration = Duration::from_secs(60);
/// The rollback time of a restore whose kept rows are being removed.
const LAPSED: i64 = 0;
/// Number of restores per check.
const MOST: i64 = 100;

impl Restores {
    /// Checks periodically until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let mut said = Said::default();
        loop {
            let failed = self.tend().await.err().map(|error| error.to_string());
            if let Some(error) = said.news(failed) {
                tracing::warn!(
                    error,
                    "the remains of restores cannot be removed yet; trying again every minute"
                );
            }
            if shutdown.unless_begun(tokio::time::sleep(PERIOD)).await.is_none() {
                return;
            }
        }
    }

    /// One check. Returns the first failure, after trying everything else.
    pub(super) async fn tend(&self) -> Result<()> {
        let mut ended = self.uploads().tend().await;
        let now = self.base.clock.now_micros();
        for row in self.base.store.restores_to_tend(now, MOST).await? {
            let done = match row.state {
                RestoreState::Applied => self.forget(row).await,
                _ => {
                    self.base.store.remove_restore(&row.id, row.revision).await.map(drop).map_err(Into::into)
                }
            };
            ended = ended.and(done);
        }
        ended
    }

    /// Removes the data that the target keeps of an applied restore. First it marks the restore so that it cannot be
    /// rolled back, whatever another replica's clock says; a rollback that has begun is left alone.
    async fn forget(&self, mut row: RestoreRow) -> Result<()> {
        if row.rollback_time != Some(LAPSED) {
            let expected = row.revision;
            row.rollback_time = Some(LAPSED);
            row.revision += 1;
            if self.base.store.replace_restore(&row, expected, None).await? != Replaced::Done {
                return Ok(());
            }
        }
        let request = request_of(&row)?;
        let mut removed = Ok(());
        for source in &request.sources {
            removed = removed.and(self.forget_in(source, &row.id, &request).await);
        }
        removed?;
        let (mut changed, expected) = (row.clone(), row.revision);
        add_step(&mut changed, self.base.clock.now_micros(), "", StepName::Removed)?;
        changed.rollback_time = None;
        changed.revision += 1;
        self.base.store.replace_restore(&changed, expected, None).await?;
        Ok(())
    }

    async fn forget_in(&self, source: &str, id: &str, request: &Request) -> Result<()> {
        Target::of(&self.base, source)?.discard((id, request), Marker::Applied).await?;
        Ok(())
    }
}
