//! Merges an archive's ring into the live one: versions are matched by kid, and their states only become stricter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use strongroom_crypto::{KeyVersion, Purpose, RootKey, State};
use strongroom_runtime::{Caller, Clock};

use super::archived::{ArchivedRing, ArchivedVersion};
use super::foreign::is_shared;
use super::{Ring, versions};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{KeyVersionRow, NewEvent, RingMerge, Store, columns};

/// Attempts when the ring changes during a merge.
const ATTEMPTS: usize = 5;

/// Result of a merge.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) added: usize,
    pub(crate) disabled: usize,
    pub(crate) needed: usize,
    pub(crate) primaries: usize,
    pub(crate) without_bytes: usize,
}

/// Merges rings.
pub(crate) struct Merges {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
}

impl Merges {
    pub(crate) fn new(store: Arc<dyn Store>, ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        Self { store, ring, clock }
    }

    /// Adds the versions of an archive's ring.
    ///
    /// # Errors
    /// [`Error::RingInvalid`], [`Error::RootKeyUnknown`], [`Error::KeyStateConflict`].
    pub(crate) async fn merge(&self, caller: &Caller, json: &[u8]) -> Result<Merged> {
        let archived = ArchivedRing::parse(json)?;
        if archived.authenticate(&self.ring.roots())?.is_none() {
            return Err(Error::RootKeyUnknown(archived.root_key_id.to_string()));
        }
        for _ in 0..ATTEMPTS {
            let revision = self.store.ring_revision().await?;
            let live = self.store.key_versions().await?;
            let now = self.clock.now_micros();
            let (mut merge, mut merged) = plan(&live, &archived, now)?;
            merge.revision = revision;
            merge.root_key_id = self.ring.root_key_id().to_string();
            if live.iter().any(|row| row.root_key_id != merge.root_key_id) {
                return Err(Error::RootKeyChanged);
            }
            merged.needed = self.keep_needed(&mut merge, now).await?;
            merged.disabled = merge.changed.len();
            self.wrap(&mut merge)?;
            merged.primaries = self.add_primaries(&live, &mut merge, now);
            if merge.added.is_empty() && merge.changed.is_empty() {
                return Ok(merged);
            }
            let event = describe(caller, now, &archived, &merge);
            if self.store.merge_ring(&merge, &event).await? {
                self.ring.reload().await?;
                return Ok(merged);
            }
        }
        Err(Error::Stale("key ring".into()))
    }

    /// Fails if [`Self::merge`] would refuse the ring because of its form, or because of the state of a key version.
    /// Changes nothing.
    ///
    /// # Errors
    /// [`Error::RingInvalid`], [`Error::KeyStateConflict`].
    pub(crate) async fn check(&self, json: &[u8]) -> Result<()> {
        let archived = ArchivedRing::parse(json)?;
        plan(&self.store.key_versions().await?, &archived, self.clock.now_micros())?;
        Ok(())
    }

    /// Leaves out versions that rows, columns or archives here need; returns their number.
    async fn keep_needed(&self, merge: &mut RingMerge, now: i64) -> Result<usize> {
        let mut unneeded = Vec::new();
        for version in &merge.changed {
            let needs = self.store.needs(&version.kid, &columns::counted(&version.key_id), now).await?;
            if needs.is_none() {
                unneeded.push(version.clone());
            }
        }
        let needed = merge.changed.len() - unneeded.len();
        merge.changed = unneeded;
        Ok(needed)
    }

    /// Wraps all added versions under the current root key.
    fn wrap(&self, merge: &mut RingMerge) -> Result<()> {
        let root = self.ring.root();
        for version in merge.added.iter_mut().filter(|version| !version.wrapped.is_empty()) {
            let wrapped = super::ring::wrapped_version(version)?;
            version.wrapped = KeyVersion::rewrap(&self.ring.roots(), &wrapped, root)?.wrapped;
        }
        for version in &mut merge.added {
            version.root_key_id = root.id().to_string();
        }
        Ok(())
    }

    /// Creates a primary version for each key that was unknown here.
    fn add_primaries(&self, live: &[KeyVersionRow], merge: &mut RingMerge, now: i64) -> usize {
        let known: BTreeSet<&str> = live.iter().map(|row| row.key_id.as_str()).collect();
        let new = last_numbers(merge.added.iter().filter(|row| !known.contains(row.key_id.as_str())));
        let root: &RootKey = self.ring.root();
        for (key_id, last) in &new {
            let version = versions::new_version(root, key_id, Purpose::Caller, now);
            merge.added.push(KeyVersionRow { number: last + 1, ..version });
        }
        new.len()
    }
}

const PRIMARY: &str = "it was retired there, and is primary here: rotate its key first";

/// The added and changed versions, with numbers; new keys have no primary version yet.
///
/// # Errors
/// [`Error::KeyStateConflict`] for a primary version that the ring would retire.
fn plan(live: &[KeyVersionRow], archived: &ArchivedRing, now: i64) -> Result<(RingMerge, Merged)> {
    let (mut merge, mut merged) = (RingMerge::default(), Merged::default());
    let known: HashMap<&str, &KeyVersionRow> = live.iter().map(|row| (row.kid.as_str(), row)).collect();
    let mut numbers = last_numbers(live);
    let mut incoming: Vec<&ArchivedVersion> =
        archived.versions.iter().filter(|one| is_shared(one.version.purpose)).collect();
    incoming.sort_by_key(|one| (one.create_time, one.version.kid.to_string()));
    for one in incoming {
        let kid = one.version.kid.to_string();
        match known.get(kid.as_str()) {
            Some(row) => merge.changed.extend(disabled(row, one)?),
            None if one.has_bytes() || one.version.state == State::Destroyed => {
                let last = numbers.entry(one.version.key_id.clone()).or_default();
                *last += 1;
                merge.added.push(added(one, *last, now));
            }
            None => merged.without_bytes += 1,
        }
    }
    merged.added = merge.added.len();
    Ok((merge, merged))
}

/// The highest version number of each key.
fn last_numbers<'r>(rows: impl IntoIterator<Item = &'r KeyVersionRow>) -> BTreeMap<String, i64> {
    let mut numbers: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows {
        let last = numbers.entry(row.key_id.clone()).or_default();
        *last = (*last).max(row.number);
    }
    numbers
}

/// A version that is new here: decrypt-only at most, and disabled if its ring has it disabled or scheduled.
fn added(one: &ArchivedVersion, number: i64, now: i64) -> KeyVersionRow {
    let state = match one.version.state {
        State::Primary | State::DecryptOnly => State::DecryptOnly,
        State::Disabled | State::Scheduled => State::Disabled,
        State::Destroyed => State::Destroyed,
    };
    KeyVersionRow {
        kid: one.version.kid.to_string(),
        key_id: one.version.key_id.clone(),
        purpose: one.version.purpose,
        number,
        state,
        root_key_id: one.version.root_key_id.to_string(),
        wrapped: one.version.wrapped.clone(),
        create_time: one.create_time,
        state_time: one.state_time,
        import_time: Some(now),
        destroy_time: one.destroy_time.filter(|_| state == State::Destroyed),
        destroy_approved: false,
    }
}

/// The known version as disabled, if the archive's ring retired it after it got its state here. It is never destroyed
/// here: destruction has steps of its own that check what still needs the version.
fn disabled(row: &KeyVersionRow, one: &ArchivedVersion) -> Result<Option<KeyVersionRow>> {
    if row.key_id != one.version.key_id || row.purpose != one.version.purpose {
        let problem = format!("its version {} belongs to another key here", row.kid);
        return Err(Error::RingInvalid(problem));
    }
    let is_retired = matches!(one.version.state, State::Disabled | State::Scheduled | State::Destroyed);
    if !is_retired || one.state_time <= row.state_time {
        return Ok(None);
    }
    match row.state {
        State::Primary => Err(Error::KeyStateConflict { kid: row.kid.clone(), conflict: PRIMARY }),
        State::DecryptOnly => {
            Ok(Some(KeyVersionRow { state: State::Disabled, state_time: one.state_time, ..row.clone() }))
        }
        State::Disabled | State::Scheduled | State::Destroyed => Ok(None),
    }
}

fn describe(caller: &Caller, now: i64, archived: &ArchivedRing, merge: &RingMerge) -> NewEvent {
    let kids = |rows: &[KeyVersionRow]| rows.iter().map(|row| row.kid.clone()).collect::<Vec<_>>();
    Event::by(caller, now, "key.ring_merged", &archived.deployment_id)
        .with("added", kids(&merge.added))
        .with("disabled", kids(&merge.changed))
        .finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
