//! Tokens: issued, listed, revoked, and turned into the principal that they authenticate.

use std::sync::Arc;

use serde_json::json;
use strongroom_crypto::Token;
use strongroom_runtime::{Caller, Clock, Delegation, Principal, Selectors};
use strongroom_store::Error as StoreError;

use super::Role;
use super::outside_selection;
use super::principals::Principals;
use super::roles::held;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::metrics::AccessMetrics;
use crate::store::{Outcome, Store, TokenRow};

/// Resolution of `last_used_time`, in microseconds: one write a minute, not one a call.
const LAST_USED_STEP: i64 = 60_000_000;

/// Before a token's id, in a principal's.
const PRINCIPAL: &str = "token:";

/// A token to be issued.
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) expire_time: Option<i64>,
    pub(crate) selectors: Selectors,
}

/// API tokens.
pub(crate) struct Tokens {
    store: Arc<dyn Store>,
    principals: Principals,
    clock: Arc<dyn Clock>,
    metrics: AccessMetrics,
}

impl Tokens {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, metrics: AccessMetrics) -> Self {
        Self { store, principals: Principals::new(), clock, metrics }
    }

    /// Issues a token with no more than the caller's own permissions and selection.
    pub(crate) async fn issue(&self, caller: &Caller, new: NewToken) -> Result<(TokenRow, Token)> {
        let permissions = new.role.permissions();
        if let Some(missing) = permissions.iter().find(|permission| !caller.principal.may(permission)) {
            let permission = missing.clone();
            let holder = caller.principal.noun();
            return Err(Error::PermissionMissing { method: "issuing this role", permission, holder });
        }
        let own = &caller.principal.selectors;
        if !new.selectors.is_within(own) {
            let (store, selector) = (self.store.as_ref(), describe(own));
            return Err(outside_selection(store, self.now(), caller, "IssueToken", selector).await);
        }
        let token = Token::generate();
        let row = TokenRow {
            id: token.id().to_owned(),
            hash: token.hash().to_vec(),
            name: new.name,
            role: new.role.as_str().to_owned(),
            issuer: caller.principal.id.clone(),
            create_time: self.now(),
            expire_time: new.expire_time,
            last_used_time: None,
            revoke_time: None,
            selectors: json!(new.selectors).to_string(),
            introspect_hash: Some(token.introspect_hash().to_vec()),
        };
        let event = Event::by(caller, self.now(), "token.issued", token.id())
            .with("name", row.name.as_str())
            .with("role", new.role.as_str())
            .with("selectors", json!(new.selectors))
            .of_change()
            .finish();
        self.store.create_token(&row, &event).await?;
        Ok((row, token))
    }

    /// Tokens after (`create_time`, id), by that order.
    pub(crate) async fn list(&self, after: (i64, &str), limit: i64) -> Result<Vec<TokenRow>> {
        Ok(self.store.tokens(after, limit).await?)
    }

    pub(crate) async fn revoke(&self, caller: &Caller, id: &str) -> Result<TokenRow> {
        let event = Event::by(caller, self.now(), "token.revoked", id).of_change().finish();
        self.store.revoke_token(id, self.now(), &event).await?;
        self.principals.forget();
        self.store.token(id).await?.ok_or_else(|| Error::TokenNotFound(id.to_owned()))
    }

    /// The principal that a token's text authenticates, from the cache if it was checked a moment ago.
    pub(crate) async fn known_principal(&self, text: &str) -> Result<Option<Principal>, Arc<Error>> {
        let known = self.principals.get_or(text, self.principal(text)).await;
        if matches!(known, Ok(None)) {
            self.metrics.refused.inc();
        }
        known
    }

    /// The principal that a token's text authenticates, read from the database; `None` when it is not valid now.
    async fn principal(&self, text: &str) -> Result<Option<Principal>> {
        let Ok(token) = Token::parse(text.trim()) else { return Ok(None) };
        self.used(opened(self.store.token_by_hash(&token.hash()).await)?).await
    }

    /// The principal of the token with this introspection hash, which a service was called with.
    pub(crate) async fn introspected(&self, hash: &[u8]) -> Result<Option<Principal>> {
        let principal = self.used(opened(self.store.token_by_introspect_hash(hash).await)?).await?;
        if principal.is_none() {
            self.metrics.refused.inc();
        }
        Ok(principal)
    }

    /// The principal with this id, if its token is valid now.
    pub(super) async fn by_principal(&self, id: &str) -> Result<Option<Principal>> {
        let Some(id) = id.strip_prefix(PRINCIPAL) else { return Ok(None) };
        let row = opened(self.store.token(id).await)?;
        row.filter(|row| self.is_valid(row)).map(principal_of).transpose()
    }

    /// The principal of a token that is used now.
    async fn used(&self, row: Option<TokenRow>) -> Result<Option<Principal>> {
        let Some(row) = row.filter(|row| self.is_valid(row)) else { return Ok(None) };
        let now = self.now();
        if row.last_used_time.is_none_or(|last| now - last >= LAST_USED_STEP) {
            self.store.touch_token(&row.id, now).await?;
        }
        principal_of(row).map(Some)
    }

    fn is_valid(&self, row: &TokenRow) -> bool {
        row.revoke_time.is_none() && row.expire_time.is_none_or(|expiry| expiry > self.now())
    }

    /// Records that `caller` was refused `method` because it lacks `permission`.
    pub(crate) async fn record_denied(&self, caller: &Caller, method: &str, permission: &str) {
        self.metrics.denied.inc();
        let event = Event::by(caller, self.now(), "access.denied", method)
            .outcome(Outcome::Denied)
            .with("permission", permission)
            .finish();
        if let Err(error) = self.store.append_event(&event).await {
            tracing::error!(%error, method, actor = %caller.principal.id, "a denied call could not be recorded");
        }
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}

fn principal_of(row: TokenRow) -> Result<Principal> {
    let role = Role::from_text(&row.role)
        .ok_or_else(|| Error::Inconsistent(format!("api_tokens.role of {}", row.id)))?;
    let selectors = Arc::new(selectors(&row)?);
    let permissions = held(role, &selectors);
    let (id, delegation) = (format!("{PRINCIPAL}{}", row.id), Delegation::default());
    Ok(Principal { id, name: row.name, permissions, selectors, delegation })
}

/// A token whose row was changed outside the vault is none.
fn opened(found: Result<Option<TokenRow>, StoreError>) -> Result<Option<TokenRow>> {
    match found {
        Err(StoreError::Tampered { table, row }) => {
            tracing::error!(table, row, "a token that was changed outside the vault was refused");
            Ok(None)
        }
        found => Ok(found?),
    }
}

/// The selection that a token is narrowed to. Text that cannot be read is an error: it must not become everything.
pub(crate) fn selectors(row: &TokenRow) -> Result<Selectors> {
    serde_json::from_str(&row.selectors)
        .map_err(|_| Error::Inconsistent(format!("api_tokens.selectors of {}", row.id)))
}

/// For people.
fn describe(selectors: &Selectors) -> String {
    format!("a token issued here must be narrowed at least to {}", json!(selectors))
}
