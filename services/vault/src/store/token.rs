//! Rows of API tokens.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::NewEvent;
use super::granting::{Columns, Granting};

/// The `api_tokens` table. A token's text is nowhere: `hash` is its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TokenRow {
    /// The public part.
    pub id: String,
    /// SHA-256 of the whole text.
    pub hash: Vec<u8>,
    /// Who it is for.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Who issued it; empty for the first.
    pub issuer: String,
    /// When it was issued.
    pub create_time: i64,
    /// From when on it is refused.
    pub expire_time: Option<i64>,
    /// When it was last used, to a minute.
    pub last_used_time: Option<i64>,
    /// When it was revoked.
    pub revoke_time: Option<i64>,
    /// What it is narrowed to, as JSON; `{}` is everything.
    pub selectors: String,
    /// What services look it up by; none for a token whose secret was not made since there is such a hash.
    pub introspect_hash: Option<Vec<u8>>,
}

impl Granting for TokenRow {
    const TABLE: &'static str = "api_tokens";
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.bytes(&self.hash);
        columns.text(&self.name);
        columns.text(&self.role);
        columns.text(&self.issuer);
        columns.number(self.create_time);
        columns.optional_number(self.expire_time);
        columns.optional_number(self.revoke_time);
        columns.text(&self.selectors);
        columns.optional_bytes(self.introspect_hash.as_deref());
    }
}

/// Tokens in the database.
#[async_trait]
pub(crate) trait TokenStore: Send + Sync {
    /// Inserts a token.
    async fn create_token(&self, row: &TokenRow, event: &NewEvent) -> Result<()>;
    /// Inserts the very first tokens; false, and nothing written, when there is one already.
    async fn create_first_tokens(&self, tokens: &[(TokenRow, NewEvent)]) -> Result<bool>;
    /// Whether any token was ever issued.
    async fn has_tokens(&self) -> Result<bool>;
    /// The token with this SHA-256.
    async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>>;
    /// The token that services look up by this hash.
    async fn token_by_introspect_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>>;
    /// The token with this public id.
    async fn token(&self, id: &str) -> Result<Option<TokenRow>>;
    /// Tokens after (`create_time`, id), by that order.
    async fn tokens(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>>;
    /// Revokes at `now`; false when it is missing or revoked already, and then nothing is written.
    async fn revoke_token(&self, id: &str, now: i64, event: &NewEvent) -> Result<bool>;
    /// Remembers a use. No event.
    async fn touch_token(&self, id: &str, now: i64) -> Result<()>;
}

pub(super) const SELECT_BY_HASH: &str = "
    SELECT id, hash, name, role, issuer, create_time, expire_time, last_used_time, revoke_time, selectors,
           introspect_hash, row_kid, row_mac, change_id
    FROM api_tokens WHERE hash = $1";

pub(super) const SELECT_BY_INTROSPECT_HASH: &str = "
    SELECT id, hash, name, role, issuer, create_time, expire_time, last_used_time, revoke_time, selectors,
           introspect_hash, row_kid, row_mac, change_id
    FROM api_tokens WHERE introspect_hash = $1";

pub(super) const SELECT_BY_ID: &str = "
    SELECT id, hash, name, role, issuer, create_time, expire_time, last_used_time, revoke_time, selectors,
           introspect_hash, row_kid, row_mac, change_id
    FROM api_tokens WHERE id = $1";

pub(super) const LIST: &str = "
    SELECT id, hash, name, role, issuer, create_time, expire_time, last_used_time, revoke_time, selectors,
           introspect_hash, row_kid, row_mac, change_id
    FROM api_tokens WHERE (create_time, id) > ($1, $2)
    ORDER BY create_time, id LIMIT $3";

pub(super) const INSERT: &str = "
    INSERT INTO api_tokens (id, hash, name, role, issuer, create_time, expire_time, selectors, introspect_hash,
                            row_kid, row_mac, change_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

pub(super) const COUNT: &str = "SELECT count(*) FROM api_tokens";

pub(super) const REVOKE: &str = "
    UPDATE api_tokens SET revoke_time = $2, row_kid = $3, row_mac = $4, change_id = $5 WHERE id = $1";

pub(super) const TOUCH: &str = "UPDATE api_tokens SET last_used_time = $2 WHERE id = $1";
