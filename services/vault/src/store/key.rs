//! Rows of the key ring.

use async_trait::async_trait;
use sqlx::FromRow;
use strongroom_store::Result;

use super::NewEvent;

/// What recognises a root key.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RootKeyRow {
    /// 16 hex digits.
    pub id: String,
    /// Derived from the key; says nothing about it.
    pub check_value: Vec<u8>,
    /// When it was first used.
    pub create_time: i64,
}

/// One version of one key, wrapped.
#[derive(Debug, Clone, FromRow)]
pub struct KeyVersionRow {
    /// 16 hex digits.
    pub kid: String,
    /// The key's name.
    pub key_id: String,
    /// What the key is for.
    pub purpose: String,
    /// From 1.
    pub number: i64,
    /// `primary`, …
    pub state: String,
    /// The root key around it.
    pub root_key_id: String,
    /// `srk1.…`; empty once destroyed.
    pub wrapped: String,
    /// When it was made.
    pub create_time: i64,
}

/// The key ring in the database.
#[async_trait]
pub(crate) trait KeyStore: Send + Sync {
    /// The root keys that this vault has known.
    async fn root_keys(&self) -> Result<Vec<RootKeyRow>>;
    /// Every key version, by key and number.
    async fn key_versions(&self) -> Result<Vec<KeyVersionRow>>;
    /// Writes the first root key and key versions, unless somebody did; true when these were written.
    async fn create_ring(
        &self,
        root: &RootKeyRow,
        versions: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool>;
}

pub(super) const ROOT_KEYS: &str = "
    SELECT id, check_value, create_time FROM root_keys ORDER BY create_time, id";

pub(super) const KEY_VERSIONS: &str = "
    SELECT v.kid, v.key_id, k.purpose, v.number, v.state, v.root_key_id, v.wrapped, v.create_time
    FROM key_versions v JOIN keys k ON k.id = v.key_id
    ORDER BY v.key_id, v.number";

pub(super) const COUNT_ROOT_KEYS: &str = "SELECT count(*) FROM root_keys";

pub(super) const INSERT_ROOT_KEY: &str = "
    INSERT INTO root_keys (id, check_value, create_time) VALUES ($1, $2, $3)";

pub(super) const INSERT_KEY: &str = "
    INSERT INTO keys (id, purpose, create_time) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";

pub(super) const INSERT_KEY_VERSION: &str = "
    INSERT INTO key_versions (kid, key_id, number, state, root_key_id, wrapped, create_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
