//! Archives' rings beside the live one: inspected, and used for one call. Nothing of them is stored. A version that is
//! disabled or in a stricter state in the live ring stays so.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use strongroom_crypto::{KeyRing, Kid, Purpose, RootKey, State, WrappedVersion};

use super::archived::{ArchivedRing, ArchivedVersion};
use super::ring::{Ring, wrapped_version};
use crate::error::{Error, Result};
use crate::store::{KeyVersionRow, RowVerifiers, Store};

/// The contents of an archive's ring, and their state in this vault.
pub(crate) struct Inspected {
    pub(crate) ring: ArchivedRing,
    pub(crate) root_key_known: bool,
    pub(crate) root_key_current: bool,
    /// Whether this vault has no credentials.
    pub(crate) vault_empty: bool,
    pub(crate) same_deployment: bool,
    pub(crate) versions: Vec<InspectedVersion>,
}

/// One of its versions.
pub(crate) struct InspectedVersion {
    pub(crate) archived: ArchivedVersion,
    /// Its state in this vault.
    pub(crate) live: Option<State>,
    pub(crate) opens: bool,
    pub(crate) public_key: Option<[u8; 32]>,
}

/// A ring for use in a restore.
pub(crate) struct OpenedRing {
    pub(crate) deployment_id: String,
    /// Whether its root key is the vault's current one: values that it sealed then open once the rings are merged.
    pub(crate) is_of_current_root: bool,
    /// The live ring, plus the versions that it lacks.
    pub(crate) joined: Arc<KeyRing>,
    /// Verifies the MACs of the archive's rows that grant access.
    pub(crate) row_keys: RowVerifiers,
    /// Versions of the key `rows` that are retired here; MACs under them are not accepted.
    pub(crate) retired_row_kids: BTreeSet<String>,
}

/// Rings of archives.
pub(crate) struct ForeignRings {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
}

impl ForeignRings {
    pub(crate) fn new(store: Arc<dyn Store>, ring: Arc<Ring>) -> Self {
        Self { store, ring }
    }

    pub(crate) async fn inspect(&self, json: &[u8]) -> Result<Inspected> {
        let ring = ArchivedRing::parse(json)?;
        let root = ring.authenticate(&self.ring.roots())?;
        let live = self.store.key_versions().await?;
        let joined = root.map(|_| joined(&self.ring.roots(), &live, &ring)).transpose()?;
        let states: HashMap<&str, State> = live.iter().map(|row| (row.kid.as_str(), row.state)).collect();
        let versions = ring.versions.iter().map(|archived| inspected(archived, &states, joined.as_ref()));
        let versions = versions.collect();
        let same_deployment = root.is_some() && self.ring.deployment_id() == ring.deployment_id;
        let root_key_current = ring.root_key_id == self.ring.root_key_id();
        let vault_empty = self.store.is_empty().await?;
        let root_key_known = root.is_some();
        Ok(Inspected { ring, root_key_known, root_key_current, vault_empty, same_deployment, versions })
    }

    /// The live ring, plus the archive's versions that it lacks.
    ///
    /// # Errors
    /// [`Error::RingInvalid`], [`Error::RootKeyUnknown`].
    pub(crate) async fn beside_live(&self, json: &[u8]) -> Result<Arc<KeyRing>> {
        Ok(self.open(json).await?.joined)
    }

    /// Opens an archive's ring for a restore.
    ///
    /// # Errors
    /// [`Error::RingInvalid`], [`Error::RootKeyUnknown`].
    pub(crate) async fn open(&self, json: &[u8]) -> Result<OpenedRing> {
        let ring = ArchivedRing::parse(json)?;
        if ring.authenticate(&self.ring.roots())?.is_none() {
            return Err(Error::RootKeyUnknown(ring.root_key_id.to_string()));
        }
        let live = self.store.key_versions().await?;
        let mut joined = joined(&self.ring.roots(), &live, &ring)?;
        // Values that it opens with live versions count as uses of those versions.
        joined.continue_counting(&self.ring.current());
        let (row_keys, retired_row_kids) = self.row_keys(&live, &ring)?;
        Ok(OpenedRing {
            is_of_current_root: ring.root_key_id == self.ring.root_key_id(),
            joined: Arc::new(joined),
            row_keys,
            retired_row_kids,
            deployment_id: ring.deployment_id,
        })
    }

    /// Versions of the key `rows`, and the ids of those that are disabled or in a stricter state here.
    fn row_keys(
        &self,
        live: &[KeyVersionRow],
        archived: &ArchivedRing,
    ) -> Result<(RowVerifiers, BTreeSet<String>)> {
        let is_retired = |version: &WrappedVersion| {
            let kid = version.kid.to_string();
            let found = live.iter().find(|row| row.kid == kid);
            found.is_some_and(|row| !matches!(row.state, State::Primary | State::DecryptOnly))
        };
        let of_rows = archived.versions.iter();
        let of_rows = of_rows.filter(|one| one.version.purpose == Purpose::Rows && one.has_bytes());
        let (retired, versions): (Vec<WrappedVersion>, Vec<WrappedVersion>) =
            of_rows.map(|one| one.version.clone()).partition(is_retired);
        let ring = KeyRing::open(&self.ring.roots(), &versions)
            .map_err(|error| Error::RingInvalid(error.to_string()))?;
        let retired = retired.iter().map(|version| version.kid.to_string()).collect();
        Ok((RowVerifiers::of(&ring), retired))
    }
}

fn inspected(
    archived: &ArchivedVersion,
    states: &HashMap<&str, State>,
    joined: Option<&KeyRing>,
) -> InspectedVersion {
    let kid = archived.version.kid;
    let usable = |state: State| matches!(state, State::Primary | State::DecryptOnly);
    let known = joined.and_then(|ring| ring.version(kid)).filter(|version| usable(version.state()));
    let public_key = joined.and_then(|ring| ring.public_key(kid));
    let live = states.get(kid.to_string().as_str()).copied();
    InspectedVersion { archived: archived.clone(), live, opens: known.is_some(), public_key }
}

/// Purposes of versions that are used beside the live ring. Versions for the audit log and for rows that grant access
/// can only vouch for the archive's own rows.
pub(super) fn is_shared(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Credential | Purpose::Caller | Purpose::Signing)
}

fn joined(roots: &[&RootKey], live: &[KeyVersionRow], archived: &ArchivedRing) -> Result<KeyRing> {
    let mut versions = live.iter().map(wrapped_version).collect::<Result<Vec<_>>>()?;
    let known: HashSet<Kid> = versions.iter().map(|version| version.kid).collect();
    for ArchivedVersion { version, .. } in &archived.versions {
        let has_bytes = !version.wrapped.is_empty() || version.state == State::Destroyed;
        if !known.contains(&version.kid) && has_bytes && is_shared(version.purpose) {
            let state = if version.state == State::Primary { State::DecryptOnly } else { version.state };
            versions.push(WrappedVersion { state, ..version.clone() });
        }
    }
    KeyRing::open(roots, &versions).map_err(|error| Error::RingInvalid(error.to_string()))
}
