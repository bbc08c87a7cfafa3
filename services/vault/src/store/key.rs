//! Rows of the key ring.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_crypto::{Purpose, State};
use strongroom_store::{Result, from_row};

use super::{NewEvent, RowKeys, StateKeys};

/// Recognises a root key.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RootKeyRow {
    /// 16 hex digits.
    pub id: String,
    /// Derived from the key, without revealing anything about it.
    pub check_value: Vec<u8>,
    /// Time of its first use.
    pub create_time: i64,
}

/// One version of one key, wrapped.
#[derive(Debug, Clone)]
pub struct KeyVersionRow {
    /// 16 hex digits.
    pub kid: String,
    /// The key's name.
    pub key_id: String,
    /// Purpose of the key.
    pub purpose: Purpose,
    /// From 1.
    pub number: i64,
    /// State of the version.
    pub state: State,
    /// The root key that wraps it.
    pub root_key_id: String,
    /// `srk1.…`; empty once destroyed.
    pub wrapped: String,
    /// Creation time.
    pub create_time: i64,
    /// Time since which it has its state.
    pub state_time: i64,
    /// Time of its import with another vault's ring.
    pub import_time: Option<i64>,
    /// Time at which a scheduled version will be destroyed, or was destroyed.
    pub destroy_time: Option<i64>,
    /// A second person approved the destruction although the version is still needed.
    pub destroy_approved: bool,
}

from_row!(KeyVersionRow { kid, key_id, number, root_key_id, wrapped, create_time, state_time, import_time, destroy_time, destroy_approved } parsed { purpose, state });

/// Result of adding a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewVersion {
    /// It is the key's primary version, and its event is in the log.
    Done,
    /// A key with this name exists already.
    KeyExists,
    /// The key does not exist.
    KeyMissing,
    /// It is wrapped by a root key that is no longer the newest.
    OtherRoot,
}

/// A change of a version's state.
#[derive(Debug, Clone)]
pub(crate) struct StateChange {
    /// The version.
    pub kid: String,
    /// The required state.
    pub from: State,
    /// The new state.
    pub to: State,
    /// Time of the destruction, for a scheduled version.
    pub destroy_time: Option<i64>,
    /// The approved request that allows the change, and is consumed by it. Without one, a pinned version cannot be
    /// taken out of use.
    pub request_id: Option<String>,
    /// Time of the change.
    pub now: i64,
}

impl StateChange {
    /// Whether pins prevent the change.
    pub(super) fn minds_pins(&self) -> bool {
        let retires = matches!(self.to, State::Disabled | State::Scheduled) && self.from != State::Scheduled;
        retires && self.request_id.is_none()
    }
}

/// The key ring in the database. Every change of it increments its revision.
#[async_trait]
pub(crate) trait KeyStore: Send + Sync {
    /// Sets the keys that authenticate states of versions: those of the given root keys.
    fn set_state_keys(&self, keys: StateKeys);
    /// The root keys that this vault has had.
    async fn root_keys(&self) -> Result<Vec<RootKeyRow>>;
    /// Every key version, by key and number.
    async fn key_versions(&self) -> Result<Vec<KeyVersionRow>>;
    /// Sets the keys of rows that grant access.
    fn set_row_keys(&self, keys: RowKeys);
    /// The number of changes of the ring. Read it before the versions, which are then at least as new.
    async fn ring_revision(&self) -> Result<i64>;
    /// Creates a key with its first version.
    async fn create_key(&self, version: &KeyVersionRow, event: &NewEvent) -> Result<NewVersion>;
    /// Makes `version` the primary one of its key, under the next number; the old one then only decrypts.
    async fn rotate_key(&self, version: &KeyVersionRow, event: &NewEvent) -> Result<NewVersion>;
    /// Changes a version's state. False, and nothing written, if the version is not in the expected state, an archive
    /// pins it, or the request is not approved and open.
    async fn set_key_state(&self, change: &StateChange, event: &NewEvent) -> Result<bool>;
    /// Erases the key of a version whose destruction is due; false if it is not due, or no longer due.
    async fn destroy_key_version(&self, kid: &str, now: i64, event: &NewEvent) -> Result<bool>;
    /// Replaces the versions with `rewrapped`, and adds `root` after the root key `from`. False, and nothing written,
    /// if the ring was changed since it was read.
    async fn change_root_key(
        &self,
        from: &str,
        root: &RootKeyRow,
        rewrapped: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool>;
    /// The deployment's id.
    async fn deployment(&self) -> Result<String>;
    /// Adds `merge.added` and replaces the versions in `merge.changed`. False, and nothing written, if the ring is no
    /// longer at `merge.revision`.
    async fn merge_ring(&self, merge: &RingMerge, event: &NewEvent) -> Result<bool>;
    /// Writes the first root key and key versions, unless they exist; true if these were written.
    async fn create_ring(
        &self,
        root: &RootKeyRow,
        deployment_id: &str,
        versions: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool>;
}

/// The deployment that a ring belongs to.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct DeploymentRow {
    /// A UUID.
    pub deployment_id: String,
    /// The MAC over the id, under the newest root key.
    pub deployment_mac: Vec<u8>,
}

/// The changes that a merge makes to a ring.
#[derive(Debug, Clone, Default)]
pub(crate) struct RingMerge {
    /// The revision of the ring that the merge was computed for.
    pub revision: i64,
    /// The root key that wraps the added versions.
    pub root_key_id: String,
    /// Added versions, with their keys and numbers.
    pub added: Vec<KeyVersionRow>,
    /// New states and times of existing versions.
    pub changed: Vec<KeyVersionRow>,
}

pub(super) const DEPLOYMENT: &str = "SELECT deployment_id, deployment_mac FROM key_ring WHERE id = 1";

pub(super) const SET_DEPLOYMENT: &str =
    "UPDATE key_ring SET deployment_id = $1, deployment_mac = $2 WHERE id = 1";

pub(super) const ROOT_KEYS: &str = "
    SELECT id, check_value, create_time FROM root_keys ORDER BY create_time, id";

pub(super) const KEY_VERSIONS: &str = "
    SELECT v.kid, v.key_id, coalesce(k.purpose, '') AS purpose, v.number, v.state, v.root_key_id, v.wrapped, v.create_time,
           v.state_time, v.import_time, v.destroy_time, v.destroy_approved, v.state_mac
    FROM key_versions v LEFT JOIN keys k ON k.id = v.key_id
    ORDER BY v.key_id, v.number";

pub(super) const KEY_VERSION: &str = "
    SELECT v.kid, v.key_id, coalesce(k.purpose, '') AS purpose, v.number, v.state, v.root_key_id, v.wrapped, v.create_time,
           v.state_time, v.import_time, v.destroy_time, v.destroy_approved, v.state_mac
    FROM key_versions v LEFT JOIN keys k ON k.id = v.key_id
    WHERE v.kid = $1";

pub(super) const PRIMARY_OF: &str = "
    SELECT v.kid, v.key_id, coalesce(k.purpose, '') AS purpose, v.number, v.state, v.root_key_id, v.wrapped, v.create_time,
           v.state_time, v.import_time, v.destroy_time, v.destroy_approved, v.state_mac
    FROM key_versions v LEFT JOIN keys k ON k.id = v.key_id
    WHERE v.key_id = $1 AND v.state = 'primary'";

pub(super) const COUNT_ROOT_KEYS: &str = "SELECT count(*) FROM root_keys";

pub(super) const INSERT_ROOT_KEY: &str = "
    INSERT INTO root_keys (id, check_value, create_time) VALUES ($1, $2, $3)";

pub(super) const INSERT_KEY: &str = "
    INSERT INTO keys (id, purpose, create_time) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";

pub(super) const INSERT_KEY_VERSION: &str = "
    INSERT INTO key_versions
        (kid, key_id, number, state, root_key_id, wrapped, create_time, state_time, destroy_time, state_mac,
         import_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// Takes the next number of the key. Numbers only rise, because destroyed versions remain.
pub(super) const INSERT_NEXT_VERSION: &str = "
    INSERT INTO key_versions (kid, key_id, number, state, root_key_id, wrapped, create_time, state_time, state_mac)
    SELECT $1, $2, max(number) + 1, $3, $4, $5, $6, $7, $8 FROM key_versions WHERE key_id = $2";

pub(super) const COUNT_KEY: &str = "SELECT count(*) FROM keys WHERE id = $1";

pub(super) const NEWEST_ROOT: &str = "
    SELECT id FROM root_keys ORDER BY create_time DESC, id DESC LIMIT 1";

pub(super) const RING_REVISION: &str = "SELECT revision FROM key_ring WHERE id = 1";

pub(super) const BUMP_RING: &str = "UPDATE key_ring SET revision = revision + 1 WHERE id = 1";

/// All columns of a version that can change.
pub(super) const UPDATE_VERSION: &str = "
    UPDATE key_versions
    SET state = $2, destroy_time = $3, destroy_approved = $4, root_key_id = $5, wrapped = $6, state_mac = $7,
        state_time = $8
    WHERE kid = $1";

pub(super) const COUNT_OTHER_ROOT: &str = "SELECT count(*) FROM key_versions WHERE root_key_id <> $1";

/// A former root key can be used again; it is then the newest.
pub(super) const PUT_ROOT_KEY: &str = "
    INSERT INTO root_keys (id, check_value, create_time) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET create_time = excluded.create_time";
