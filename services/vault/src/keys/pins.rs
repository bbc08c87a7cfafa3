//! Pins: a version that an archive needs cannot be disabled or destroyed while the pin exists.
//!
//! `retire` asks the store for a version's pins before each step, and the store checks them again in the step's
//! transaction (`StateChange::minds_pins`).

use strongroom_runtime::Caller;

use super::Ledger;
use crate::audit::Event;
use crate::error::Result;
use crate::store::{ArchiveNeeds, NewEvent};

/// Lifetime of pins that are never narrowed, in microseconds.
const UNNARROWED: i64 = 24 * 60 * 60 * 1_000_000;

impl Ledger {
    /// Pins every version that is not destroyed, except those of page keys, for an archive that is about to be made.
    pub(crate) async fn pin_live_versions(
        &self,
        caller: &Caller,
        archive_id: &str,
        expire_time: Option<i64>,
    ) -> Result<Vec<(String, String)>> {
        let now = self.now();
        let event = Event::by(caller, now, "key.pinned", archive_id).finish();
        let expire_time = expire_time.unwrap_or(now + UNNARROWED);
        Ok(self.store.pin_live_versions(archive_id, expire_time, now, &event).await?)
    }

    /// Makes `needs` the archive's only pins. A version that is unknown here may arrive with a ring that is merged
    /// later.
    pub(crate) async fn narrow_pins(
        &self,
        caller: &Caller,
        archive_id: &str,
        needs: &ArchiveNeeds,
    ) -> Result<()> {
        let event = narrowed(caller, self.now(), archive_id, needs);
        Ok(self.store.narrow_pins(archive_id, needs, &event).await?)
    }

    /// Releases an archive's pins, if any.
    pub(crate) async fn release_pins(&self, caller: &Caller, archive_id: &str) -> Result<()> {
        let event = Event::by(caller, self.now(), "key.pins_released", archive_id).finish();
        self.store.release_pins(archive_id, &event).await?;
        Ok(())
    }
}

/// The event of narrowed pins.
pub(crate) fn narrowed(caller: &Caller, now: i64, archive_id: &str, needs: &ArchiveNeeds) -> NewEvent {
    Event::by(caller, now, "key.pins_narrowed", archive_id).with("kids", needs.kids.clone()).finish()
}
