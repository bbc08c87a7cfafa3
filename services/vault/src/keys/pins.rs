//! The ledger of archives: what an archive needs cannot be retired.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_crypto::State;
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::vault::Vault;

/// How long the pins of an archive hold that nobody narrows.
const UNNARROWED: i64 = 24 * 60 * 60 * 1_000_000;

impl Vault {
    /// Pins every live version for an archive that is about to be made.
    pub(crate) async fn pin_key_versions(
        &self,
        caller: &Caller,
        archive_id: &str,
        expire_time: Option<i64>,
    ) -> Result<Vec<String>> {
        let now = self.now();
        let event = self.event(caller, "key.pinned", archive_id).finish();
        let expire_time = expire_time.unwrap_or(now + UNNARROWED);
        Ok(self.store.pin_live_versions(archive_id, expire_time, now, &event).await?)
    }

    /// Makes `kids` all that an archive pins.
    pub(crate) async fn narrow_key_pins(
        &self,
        caller: &Caller,
        archive_id: &str,
        kids: BTreeSet<String>,
        expire_time: Option<i64>,
    ) -> Result<()> {
        let versions = self.key_versions().await?;
        let versions: BTreeMap<_, _> = versions.into_iter().map(|one| (one.kid, one.state)).collect();
        for kid in &kids {
            let state = versions.get(kid).ok_or_else(|| Error::KeyVersionNotFound(kid.clone()))?;
            if state == State::Destroyed.as_str() {
                return Err(Error::KeyVersionState { kid: kid.clone(), state: state.clone(), needs: "live" });
            }
        }
        let kids: Vec<String> = kids.into_iter().collect();
        let event = self.event(caller, "key.pins_narrowed", archive_id).with("kids", kids.clone()).finish();
        Ok(self.store.narrow_pins(archive_id, &kids, expire_time, &event).await?)
    }

    /// Releases what an archive pins, if anything.
    pub(crate) async fn release_key_pins(&self, caller: &Caller, archive_id: &str) -> Result<()> {
        let event = self.event(caller, "key.pins_released", archive_id).finish();
        self.store.release_pins(archive_id, &event).await?;
        Ok(())
    }
}
