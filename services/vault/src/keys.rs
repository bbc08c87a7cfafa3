//! Keys and their versions: a type for each part of `KeyService`, and the open ring that everything else uses.
//!
//! [`Keys`] makes, rotates and exports keys. [`Ledger`] records which versions rows, other services and archives need
//! (`census`, `pins`). [`Retirement`] takes versions out of use, guarded by the ledger and by [`Approvals`].
//! [`Reencryption`] moves values to the primary versions. `archived` is the ring as archives carry it; [`ForeignRings`]
//! uses such a ring beside the live one, and [`Merges`] merges it into the live one. `ring` holds the open ring, and
//! `root` changes the root key.

mod approvals;
mod archived;
mod census;
mod foreign;
#[cfg(test)]
mod fuzz;
mod ledger;
mod merge;
mod name;
mod pins;
mod reencrypt;
mod retire;
mod ring;
mod root;
mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_crypto::Purpose;
use strongroom_runtime::{Caller, Clock};

use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::key_names::RESERVED;
use crate::store::{KeyVersionRow, NewVersion, Store};

pub(crate) use approvals::Approvals;
use archived::ArchivedRing;
pub(crate) use census::{Census, CensusReport};
pub(crate) use foreign::{ForeignRings, Inspected, InspectedVersion, OpenedRing};
pub(crate) use ledger::Ledger;
pub(crate) use merge::{Merged, Merges};
pub(crate) use name::check_key_name;
pub(crate) use pins::narrowed;
pub(crate) use reencrypt::{Progress, Reencryption};
pub(crate) use retire::Retirement;
pub(crate) use ring::{Ring, open_rows};
pub(crate) use root::change_root_key;
pub(crate) use versions::first_versions;

/// A ring for an archive.
pub(crate) struct ExportedRing {
    pub(crate) root_key_id: String,
    pub(crate) json: Vec<u8>,
    /// The versions whose bytes it contains.
    pub(crate) kids: Vec<String>,
    pub(crate) deployment_id: String,
}

/// Keys: making, rotating, listing and exporting them.
pub(crate) struct Keys {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
}

impl Keys {
    pub(crate) fn new(store: Arc<dyn Store>, ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        Self { store, ring, clock }
    }

    /// Every version of every key, without its wrapped bytes.
    pub(crate) async fn versions(&self) -> Result<Vec<KeyVersionRow>> {
        versions::all(self.store.as_ref()).await
    }

    /// Creates a caller key.
    pub(crate) async fn create(&self, caller: &Caller, key_id: &str) -> Result<KeyVersionRow> {
        if RESERVED.contains(&key_id) {
            return Err(Error::KeyExists(key_id.to_owned()));
        }
        let version = versions::new_version(self.ring.root(), key_id, Purpose::Caller, self.now());
        let event = self.event(caller, "key.created", key_id).with("kid", version.kid.as_str()).finish();
        let created = self.store.create_key(&version, &event).await?;
        self.use_new_version(&version, created).await
    }

    /// Creates a new primary version of any key.
    pub(crate) async fn rotate(&self, caller: &Caller, key_id: &str) -> Result<KeyVersionRow> {
        let purpose = versions::of_key(self.store.as_ref(), key_id).await?[0].purpose;
        let version = versions::new_version(self.ring.root(), key_id, purpose, self.now());
        let event = self.event(caller, "key.rotated", key_id).with("kid", version.kid.as_str()).finish();
        let rotated = self.store.rotate_key(&version, &event).await?;
        self.use_new_version(&version, rotated).await
    }

    async fn use_new_version(&self, version: &KeyVersionRow, made: NewVersion) -> Result<KeyVersionRow> {
        match made {
            NewVersion::Done => {}
            NewVersion::KeyExists => return Err(Error::KeyExists(version.key_id.clone())),
            NewVersion::KeyMissing => return Err(Error::KeyNotFound(version.key_id.clone())),
            NewVersion::OtherRoot => return Err(Error::RootKeyChanged),
        }
        self.ring.reload().await?;
        versions::one(self.store.as_ref(), &version.kid).await
    }

    /// The ring as the root key wraps it, for an archive whose values need `kids`.
    pub(crate) async fn export_ring(&self, caller: &Caller, kids: &BTreeSet<String>) -> Result<ExportedRing> {
        let rows = self.store.key_versions().await?;
        let root_key_id = self.ring.root_key_id().to_string();
        if rows.iter().any(|row| row.root_key_id != root_key_id) {
            return Err(Error::RootKeyChanged);
        }
        let carries = |row: &KeyVersionRow| match row.purpose {
            Purpose::Credential | Purpose::Caller => kids.contains(&row.kid),
            Purpose::Audit | Purpose::Signing | Purpose::Rows => true,
            Purpose::Page => false,
        };
        let deployment_id = self.ring.deployment_id();
        let ring = ArchivedRing::of(&rows, self.ring.root(), &deployment_id, carries)?;
        let json = ring.to_json()?;
        let carried = ring.versions.iter().filter(|one| one.has_bytes());
        let kids: Vec<String> = carried.map(|one| one.version.kid.to_string()).collect();
        let event = self.event(caller, "key.ring_exported", &root_key_id);
        let event = event.with("versions", rows.len()).with("with_bytes", kids.len()).finish();
        self.store.append_event(&event).await?;
        Ok(ExportedRing { root_key_id, json, kids, deployment_id })
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}
