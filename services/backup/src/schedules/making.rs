//! Makes the backup of a run like any other: by [`Creations`], for the schedule's creator.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::Clock;

use super::actor::{Actor, record_orphan};
use super::rules::Rules;
use super::running::Maker;
use crate::backups::{Creations, Order, Run};
use crate::error::Result;
use crate::seal::SealChoice;
use crate::store::ScheduleRow;
use crate::vault_client::VaultClient;

/// Makes the backups of runs.
pub(super) struct Making {
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) creations: Arc<Creations>,
}

#[async_trait]
impl Maker for Making {
    async fn begin(&self, schedule: &ScheduleRow, rules: &Rules, run: &mut Run) -> Result<()> {
        let actor = Actor::of(&self.vault, schedule, "backup.create").await?;
        run.turn.schedule.orphan_time = self.orphan_time(schedule, actor.is_orphan).await?;
        let order = Order { destinations: &rules.destinations, run: Some(run.clone()), ..Order::default() };
        self.creations.begin(&actor.caller, &rules.request(), SealChoice::Configured, order).await.map(drop)
    }
}

impl Making {
    /// The time since which the schedule has no permitted creator. The first occurrence is logged and recorded.
    async fn orphan_time(&self, schedule: &ScheduleRow, is_orphan: bool) -> Result<Option<i64>> {
        if !is_orphan || schedule.orphan_time.is_some() {
            return Ok(schedule.orphan_time.filter(|_| is_orphan));
        }
        let (name, creator) = (schedule.name.as_str(), schedule.creator.as_str());
        tracing::warn!(
            name,
            creator,
            "the creator of a schedule may no longer make backups; the schedule continues without its creator"
        );
        record_orphan(&self.vault, schedule).await?;
        Ok(Some(self.clock.now_micros()))
    }
}
