//! Drills the newest backup of a schedule periodically.
//!
//! A drill with failed checks is repeated after a day, to confirm that the fault has been fixed; a drill that could not
//! be done, because the vault or the scratch server was unavailable, after an hour. Either is repeated sooner if drills
//! are more frequent.

use std::sync::Arc;

use strongroom_runtime::Clock;

use super::actor::Actor;
use super::rules::{DAY, Rules};
use crate::backups::Catalogue;
use crate::drills::Drills;
use crate::error::{DrillError, Error, Result};
use crate::store::{DrillRow, DrillState, ScheduleRow, Store};
use crate::vault_client::VaultClient;

/// Drills backups of schedules.
pub(super) struct Drilling {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) catalogue: Catalogue,
    pub(super) drills: Drills,
}

impl Drilling {
    /// Refuses rules whose drills would never begin.
    ///
    /// # Errors
    /// [`DrillError::NoScratch`].
    pub(super) fn check(&self, rules: &Rules) -> Result<()> {
        match rules.drill_every {
            Some(_) => self.drills.check_places(),
            None => Ok(()),
        }
    }

    /// Begins the drills that are due, one at a time. Returns the first failure, after trying everything else.
    pub(super) async fn look(&self) -> Result<()> {
        let (mut due, mut ended) = (Vec::new(), Ok(()));
        for schedule in self.store.schedules().await?.into_iter().filter(|schedule| !schedule.paused) {
            match Rules::of(&schedule).map(|rules| rules.drill_every) {
                Ok(Some(every)) => due.extend(self.due(schedule, every).await?),
                Ok(None) => {}
                Err(error) => ended = ended.and(Err(error)),
            }
        }
        // The schedule with the oldest last drill comes first, so that each gets its turn.
        due.sort_by_key(|(last, _)| *last);
        for (_, schedule) in due {
            ended = ended.and(self.begin(&schedule).await);
        }
        ended
    }

    /// The schedule with the time of its last drill, if another one is due.
    async fn due(&self, schedule: ScheduleRow, every: i64) -> Result<Option<(Option<i64>, ScheduleRow)>> {
        let last = self.store.last_drill(&schedule.name).await?.filter(|last| is_of(&schedule, last));
        let due = last.as_ref().map_or(schedule.create_time, |last| due_time(last, every));
        let is_due = due <= self.clock.now_micros();
        Ok(is_due.then(|| (last.map(|last| last.create_time), schedule)))
    }

    async fn begin(&self, schedule: &ScheduleRow) -> Result<()> {
        let newest = self.catalogue.newest_restorable(Some(&schedule.name)).await?;
        let Some(backup) = newest else { return Ok(()) };
        let caller = Actor::of(&self.vault, schedule, "backup.verify").await?.caller;
        match self.drills.begin(&caller, &backup.row.id).await {
            // Another drill is running; this one is tried again later.
            Err(Error::Drill(DrillError::Busy(_) | DrillError::BusyElsewhere)) => Ok(()),
            begun => begun.map(drop),
        }
    }
}

/// Whether the drill belongs to this schedule, not to an earlier one of the same name.
pub(super) fn is_of(schedule: &ScheduleRow, drill: &DrillRow) -> bool {
    drill.create_time >= schedule.create_time
}

/// When the next drill is due after `last`.
pub(super) fn due_time(last: &DrillRow, every: i64) -> i64 {
    let wait = match last.state {
        DrillState::Passed | DrillState::Running => every,
        DrillState::Failed => every.min(DAY),
        DrillState::NotDone => every.min(DAY / 24),
    };
    last.create_time.saturating_add(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_that_has_not_passed_is_repeated_soon() {
        let last = |state| DrillRow {
            id: "1".into(),
            backup_id: "b".into(),
            file_name: String::new(),
            schedule: None,
            state,
            creator: String::new(),
            create_time: 1000,
            end_time: None,
            reason: String::new(),
            problem: String::new(),
            evidence: String::new(),
        };
        for (state, every, wait) in [
            (DrillState::Passed, 30 * DAY, 30 * DAY),
            (DrillState::Running, 30 * DAY, 30 * DAY),
            (DrillState::Failed, 30 * DAY, DAY),
            (DrillState::Failed, DAY / 24, DAY / 24),
            (DrillState::NotDone, 30 * DAY, DAY / 24),
        ] {
            assert_eq!(due_time(&last(state), every), 1000 + wait, "{state:?} {every}");
        }
    }
}
