//! Rows of API tokens.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx_macros::FromRow;
use strongroom_crypto::Token;
use strongroom_store::Result;

use super::NewEvent;
use super::audit::has_lost_events;
use super::granting::{Columns, Granting};
use super::lineage::Lineages;

/// Prefix of a token's principal, followed by its id.
pub(crate) const TOKEN: &str = "token:";

/// The `api_tokens` table. A token's text is stored nowhere: `hash` is its SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow, Serialize, Deserialize)]
pub(crate) struct TokenRow {
    /// The public id.
    pub id: String,
    /// SHA-256 of the whole text.
    pub hash: Vec<u8>,
    /// Name of its user.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Its issuer; empty for a token that nobody issued: the first tokens of a vault, and those made by break-glass.
    pub issuer: String,
    /// Time of issue.
    pub create_time: i64,
    /// Expiry, from which it is refused.
    pub expire_time: Option<i64>,
    /// Time of its last use, to the minute.
    pub last_used_time: Option<i64>,
    /// Time of its revocation.
    pub revoke_time: Option<i64>,
    /// Its selection, as JSON; `{}` selects everything.
    pub selectors: String,
    /// The hash by which services look it up; `None` for a token whose secret is older than these hashes.
    pub introspect_hash: Option<Vec<u8>>,
    /// The only service that accepts it; empty for both.
    pub service: String,
    /// Whether it was made by break-glass, because every admin token was lost.
    pub break_glass: bool,
    /// Id of the person that it belongs to; empty for none.
    pub person: String,
    /// Whether it was enrolled for that person; otherwise it inherits its issuer's person.
    pub enrolled: bool,
    /// Whether its holder has renewed it since the enrolment.
    pub renewed: bool,
    /// Time when its current issuer issued it; later than `create_time` for a reissued token.
    pub issue_time: i64,
    /// Time when it was reissued after it had ended. Tokens that it had issued by then stay ended.
    pub cut_time: Option<i64>,
    /// Time of the restore that brought it back; it authenticates nobody until it is reissued.
    pub stale_time: Option<i64>,
}

impl TokenRow {
    /// The columns of a new token's row that depend on its secret.
    pub(crate) fn of(token: &Token) -> Self {
        let Hashes { hash, introspect_hash } = Hashes::of(token);
        Self { id: token.id().to_owned(), hash, introspect_hash: Some(introspect_hash), ..Self::default() }
    }

    /// Its holder's name in the audit log.
    pub(crate) fn principal(&self) -> String {
        format!("{TOKEN}{}", self.id)
    }

    /// Id of the token that issued it; `None` if the issuer is not a token.
    pub(crate) fn issuer_token(&self) -> Option<&str> {
        self.issuer.strip_prefix(TOKEN)
    }

    /// Id of the person that its holder acts for. Until an enrolled token is renewed, its issuer may know its secret.
    pub(crate) fn acts_for(&self) -> Option<&str> {
        let acts = !self.person.is_empty() && (self.renewed || !self.enrolled);
        acts.then_some(self.person.as_str())
    }

    /// Whether the token itself was revoked or has expired.
    pub(crate) fn is_over(&self, now: i64) -> bool {
        self.revoke_time.is_some() || self.expire_time.is_some_and(|expiry| expiry <= now)
    }

    /// Whether it authenticates nobody, regardless of its issuers.
    pub(crate) fn has_ended(&self, now: i64) -> bool {
        self.is_over(now) || self.stale_time.is_some()
    }

    /// Whether a token that it issued at `issue_time` ended with it, before it was reissued.
    pub(crate) fn has_cut(&self, issue_time: i64) -> bool {
        self.cut_time.is_some_and(|cut| issue_time <= cut)
    }
}

impl Granting for TokenRow {
    const TABLE: &'static str = "api_tokens";
    const SELECT: &'static str = SELECT;
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
        columns.text(&self.service);
        columns.flag(self.break_glass);
        columns.text(&self.person);
        columns.flag(self.enrolled);
        columns.flag(self.renewed);
        columns.number(self.issue_time);
        columns.optional_number(self.cut_time);
        columns.optional_number(self.stale_time);
    }
}

/// The token that must remain after a revocation: one of `role` without expiry, selection or binding to another
/// service. Tokens that were issued through one of `identities` count; those of other identities do not.
pub(crate) struct Remaining<'a> {
    pub(crate) role: &'a str,
    pub(crate) service: &'a str,
    pub(crate) identities: &'a [String],
}

/// The hashes by which a token is found.
#[derive(Debug, Clone)]
pub(crate) struct Hashes {
    /// SHA-256 of its text.
    pub(crate) hash: Vec<u8>,
    /// The hash by which services look it up.
    pub(crate) introspect_hash: Vec<u8>,
}

impl Hashes {
    pub(crate) fn of(token: &Token) -> Self {
        Self {
            hash: token.hash().to_vec(),
            introspect_hash: Token::introspect_lookup(&token.introspect_hash()).to_vec(),
        }
    }
}

/// Result of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revocation {
    Done,
    /// The token is missing, or was revoked before.
    Unchanged,
    /// The token that must remain would be lost.
    Last,
}

/// Result of a reissue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reissue {
    Done,
    /// The token is missing or revoked.
    Ended,
    /// The new issuer was itself issued through this token.
    Circular,
}

/// Tokens in the database.
#[async_trait]
pub(crate) trait TokenStore: Send + Sync {
    /// Inserts a token.
    async fn create_token(&self, row: &TokenRow, event: &NewEvent) -> Result<()>;
    /// Inserts the very first tokens; false, and nothing written, if [`TokenStore::ever_had_tokens`].
    async fn create_first_tokens(&self, tokens: &[(TokenRow, NewEvent)]) -> Result<bool>;
    /// Whether any token was ever issued: one exists, the log records one, or the log has lost events. Deleting rows
    /// does not give an attacker a second first start.
    async fn ever_had_tokens(&self) -> Result<bool>;
    /// The id of the token with this SHA-256, and its issuers.
    async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<(String, Lineages)>>;
    /// The same for the token that services look up by this hash.
    async fn token_by_introspect_hash(&self, hash: &[u8]) -> Result<Option<(String, Lineages)>>;
    /// The token with this public id.
    async fn token(&self, id: &str) -> Result<Option<TokenRow>>;
    /// Tokens after (`create_time`, id), in that order.
    async fn tokens(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>>;
    /// The tokens with these ids, and their issuers.
    async fn lineages(&self, ids: &[String]) -> Result<Lineages>;
    /// Revokes a token at `now`. If the token that `remaining` describes existed before, one must remain afterwards.
    async fn revoke_token(
        &self,
        id: &str,
        now: i64,
        remaining: Option<Remaining<'_>>,
        event: &NewEvent,
    ) -> Result<Revocation>;
    /// Replaces the hashes of a token that still has the hash `from`; its holder has then renewed it. False, and
    /// nothing written, if the hash is another one.
    async fn renew_token(&self, id: &str, from: &[u8], to: &Hashes, event: &NewEvent) -> Result<bool>;
    /// Replaces the token's hashes, issuer, expiry, binding, person, issue time and cut time with those of `row`.
    /// Afterwards the token is neither stale nor enrolled nor made by break-glass.
    async fn reissue_token(&self, row: &TokenRow, event: &NewEvent) -> Result<Reissue>;
    /// Records a use. No event.
    async fn touch_token(&self, id: &str, now: i64) -> Result<()>;
}

/// A SELECT of whole rows; the argument follows `FROM api_tokens`.
macro_rules! select_tokens {
    ($rest:expr) => {
        concat!(
            "SELECT id, hash, name, role, issuer, create_time, expire_time, last_used_time, revoke_time, selectors,
                    service, break_glass, person, enrolled, renewed, introspect_hash, issue_time, cut_time, stale_time,
                    row_kid, row_mac, change_id
             FROM api_tokens ",
            $rest
        )
    };
}
pub(super) use select_tokens;

/// The same for the tokens that a condition selects and their chains of issuers. A chain is followed one issuer further
/// than allowed, so that a chain that is too long is recognised.
macro_rules! select_lineages {
    ($condition:expr) => {
        concat!(
            "WITH RECURSIVE lineage (id, issuer, links) AS (
                 SELECT id, issuer, 0 FROM api_tokens WHERE ",
            $condition,
            "    UNION
                 SELECT t.id, t.issuer, l.links + 1
                 FROM lineage l JOIN api_tokens t ON t.id = substr(l.issuer, 7)
                 WHERE l.issuer LIKE 'token:%' AND l.links < 9
             ) ",
            $crate::store::token::select_tokens!("WHERE id IN (SELECT id FROM lineage)")
        )
    };
}
pub(super) use select_lineages;

pub(super) const SELECT: &str = select_tokens!("");

pub(super) const SELECT_BY_ID: &str = select_tokens!("WHERE id = $1");

pub(super) const ENROLLED: &str = select_tokens!("WHERE enrolled ORDER BY create_time, id");

pub(super) const LIST: &str =
    select_tokens!("WHERE (create_time, id) > ($1, $2) ORDER BY create_time, id LIMIT $3");

pub(super) const LINEAGE_BY_HASH: &str = select_lineages!("hash = $1");

pub(super) const LINEAGE_BY_INTROSPECT_HASH: &str = select_lineages!("introspect_hash = $1");

pub(super) const LINEAGE_BY_ID: &str = select_lineages!("id = $1");

/// Every token that can meet [`Remaining`], and its issuers.
pub(super) const LINEAGES_REMAINING: &str = select_lineages!(
    "role = $1 AND (service = '' OR service = $2) AND selectors = '{}' AND revoke_time IS NULL AND expire_time IS NULL"
);

pub(super) const INSERT: &str = "
    INSERT INTO api_tokens
        (id, hash, name, role, issuer, create_time, expire_time, selectors, service, break_glass,
         person, enrolled, renewed, introspect_hash, row_kid, row_mac, change_id, issue_time, stale_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

/// Whether any token may ever have been issued.
pub(super) const HAS_TRACES: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM api_tokens)
         OR EXISTS (SELECT 1 FROM audit_logs WHERE event = 'token.issued') OR ",
    has_lost_events!()
);

/// All columns of a token that can change.
pub(super) const UPDATE: &str = "
    UPDATE api_tokens
    SET hash = $2, issuer = $3, expire_time = $4, revoke_time = $5, service = $6, break_glass = $7,
        person = $8, enrolled = $9, renewed = $10, introspect_hash = $11, row_kid = $12, row_mac = $13, change_id = $14,
        issue_time = $15, cut_time = $16, stale_time = $17
    WHERE id = $1";

pub(super) const TOUCH: &str = "UPDATE api_tokens SET last_used_time = $2 WHERE id = $1";
