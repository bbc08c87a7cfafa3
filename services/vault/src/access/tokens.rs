//! Tokens: authenticating, listing and revoking them. `issuing` makes their secrets.

mod issuing;

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_crypto::Token;
use strongroom_runtime::{Caller, Clock, Delegation, Principal, Selectors};
use strongroom_store::Error as StoreError;

use super::principals::{Known, Principals};
use super::roles::held;
use super::{Identities, Role, Service};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::metrics::AccessMetrics;
use crate::people;
use crate::store::{Ended, Lineages, Outcome, Remaining, Revocation, Store, TOKEN, TokenRow};

pub(crate) use issuing::NewToken;

/// Resolution of `last_used_time`, in microseconds: one write per minute, not one per call.
const LAST_USED_STEP: i64 = 60_000_000;

/// A token and the state of its issuers.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) row: TokenRow,
    /// The issuer whose end ended this token: `token:<id>` or `identity:<name>`. Empty if the token ended itself, or is
    /// valid.
    pub(crate) ended_through: String,
    /// Name of the person that it belongs to; empty for none.
    pub(crate) person: String,
}

/// API tokens.
pub(crate) struct Tokens {
    store: Arc<dyn Store>,
    identities: Arc<Identities>,
    principals: Principals,
    clock: Arc<dyn Clock>,
    metrics: AccessMetrics,
}

impl Tokens {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        identities: Arc<Identities>,
        clock: Arc<dyn Clock>,
        metrics: AccessMetrics,
    ) -> Self {
        Self { store, identities, principals: Principals::new(), clock, metrics }
    }

    /// Tokens after (`create_time`, id), in that order.
    pub(crate) async fn list(&self, after: (i64, &str), limit: i64) -> Result<Vec<Listed>> {
        let rows = self.store.tokens(after, limit).await?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let lineages = self.store.lineages(&ids).await?;
        let people = people::names(self.store.as_ref()).await?;
        Ok(rows.into_iter().map(|row| self.listed(row, &lineages, &people)).collect())
    }

    pub(crate) async fn one(&self, id: &str) -> Result<Listed> {
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        let row = lineages.token(id).cloned().ok_or_else(|| Error::TokenNotFound(id.to_owned()))?;
        let people = people::names(self.store.as_ref()).await?;
        Ok(self.listed(row, &lineages, &people))
    }

    fn listed(&self, row: TokenRow, lineages: &Lineages, people: &BTreeMap<String, String>) -> Listed {
        let ended_through = match self.ended(lineages, &row.id) {
            Some(Ended::Through(issuer)) => issuer,
            Some(Ended::TooLong) => row.issuer.clone(),
            Some(Ended::Itself) | None => String::new(),
        };
        let person = people.get(&row.person).cloned().unwrap_or_default();
        Listed { row, ended_through, person }
    }

    /// Revokes a token and every token issued through it.
    pub(crate) async fn revoke(&self, caller: &Caller, id: &str) -> Result<Listed> {
        let event = Event::by(caller, self.now(), "token.revoked", id).of_change().finish();
        let identities = self.identities.principals();
        let remaining = self.identities.admins().is_empty().then(|| Remaining {
            role: Role::Admin.as_str(),
            service: Service::Vault.as_str(),
            identities: &identities,
        });
        if self.store.revoke_token(id, self.now(), remaining, &event).await? == Revocation::Last {
            return Err(Error::LastAdmin(id.to_owned()));
        }
        self.principals.forget();
        self.one(id).await
    }

    /// The principal that a token's text authenticates at this vault, from the cache if it was checked recently.
    pub(crate) async fn known_principal(&self, text: &str) -> Result<Option<Principal>, Arc<Error>> {
        let known = self.principals.get_or(text, self.principal(text)).await?;
        // A cached token may have expired since it was checked.
        let known = known.filter(|known| known.expire_time.is_none_or(|expiry| expiry > self.now()));
        if known.is_none() {
            self.metrics.refused.inc();
        }
        Ok(known.map(|known| known.principal))
    }

    /// The principal that a token's text authenticates at the vault, read from the database; `None` if the token is not
    /// valid now.
    async fn principal(&self, text: &str) -> Result<Option<Known>> {
        let Ok(token) = Token::parse(text.trim()) else { return Ok(None) };
        self.used(self.store.token_by_hash(&token.hash()).await, Service::Vault).await
    }

    /// The principal of the token with this introspection hash; the backup service was called with that token.
    pub(crate) async fn introspected(&self, hash: &[u8]) -> Result<Option<Principal>> {
        let found = self.store.token_by_introspect_hash(&Token::introspect_lookup(hash)).await;
        let known = self.used(found, Service::Backup).await?;
        if known.is_none() {
            self.metrics.refused.inc();
        }
        Ok(known.map(|known| known.principal))
    }

    /// The principal with this id, if its token is valid now at `service`.
    pub(super) async fn by_principal(&self, id: &str, service: Service) -> Result<Option<Principal>> {
        let Some(id) = id.strip_prefix(TOKEN) else { return Ok(None) };
        let lineages = self.store.lineages(&[id.to_owned()]).await;
        let Some((id, lineages)) = opened(lineages.map(|lineages| Some((id.to_owned(), lineages))))? else {
            return Ok(None);
        };
        self.valid(&id, &lineages, service).map(principal_of).transpose()
    }

    /// The token, if it and all its issuers are valid now at `service`.
    fn valid<'l>(&self, id: &str, lineages: &'l Lineages, service: Service) -> Option<&'l TokenRow> {
        let row = lineages.token(id)?;
        (service.accepts(&row.service) && self.ended(lineages, id).is_none()).then_some(row)
    }

    /// The principal of a token that is being used.
    async fn used(
        &self,
        found: Result<Option<(String, Lineages)>, StoreError>,
        service: Service,
    ) -> Result<Option<Known>> {
        let Some((id, lineages)) = opened(found)? else { return Ok(None) };
        let now = self.now();
        if lineages.token(&id).is_some_and(|row| row.stale_time.is_some() && !row.is_over(now)) {
            self.metrics.refused.inc();
            return Err(Error::TokenStale(id));
        }
        let Some(row) = self.valid(&id, &lineages, service) else { return Ok(None) };
        if row.last_used_time.is_none_or(|last| now - last >= LAST_USED_STEP) {
            self.store.touch_token(&id, now).await?;
        }
        Ok(Some(Known { principal: principal_of(row)?, expire_time: lineages.expire_time(&id) }))
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

    fn ended(&self, lineages: &Lineages, id: &str) -> Option<Ended> {
        lineages.ended(id, self.now(), |identity| self.identities.knows(identity))
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}

fn principal_of(row: &TokenRow) -> Result<Principal> {
    let role = Role::from_text(&row.role)
        .ok_or_else(|| Error::Inconsistent(format!("api_tokens.role of {}", row.id)))?;
    let selectors = Arc::new(selectors(row)?);
    Ok(Principal {
        id: row.principal(),
        name: row.name.clone(),
        permissions: held(role, &selectors),
        selectors,
        delegation: Delegation::default(),
        token_hash: row.hash.clone(),
    })
}

/// The found row, or nothing if it or an issuer was changed outside the vault: such a row is no token.
fn opened<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>> {
    match found {
        Err(StoreError::Tampered { table, row }) => {
            tracing::error!(table, row, "a token was refused: it or an issuer was changed outside the vault");
            Ok(None)
        }
        found => Ok(found?),
    }
}

/// The selection that a token is narrowed to. Unreadable text is an error: it must not select everything.
pub(crate) fn selectors(row: &TokenRow) -> Result<Selectors> {
    serde_json::from_str(&row.selectors)
        .map_err(|_| Error::Inconsistent(format!("api_tokens.selectors of {}", row.id)))
}
