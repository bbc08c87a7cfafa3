//! Secrets of tokens: for a new token, and as a replacement for an existing one. An issuer grants no more than it
//! holds.

use serde_json::json;
use strongroom_api::time::{timestamp, to_jiff};
use strongroom_crypto::Token;
use strongroom_runtime::{Caller, Selectors};

use super::{Listed, Tokens, selectors};
use crate::access::{Role, Service, outside_selection};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::people::person_of;
use crate::store::{Hashes, MAX_LINKS, Reissue, TOKEN, TokenRow};

/// A token to be issued.
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Without one, the token expires with its issuer.
    pub(crate) expire_time: Option<i64>,
    pub(crate) selectors: Selectors,
    /// Without one, the token has its issuer's binding.
    pub(crate) service: Option<Service>,
}

/// The limits that an issuer passes on.
struct Issuer {
    expire_time: Option<i64>,
    /// The service that it is bound to; empty for none.
    service: String,
    /// The id of its person; empty for none.
    person: String,
}

impl Tokens {
    /// Issues a token with no more than the caller's own permissions, selection, service and time.
    pub(crate) async fn issue(&self, caller: &Caller, new: NewToken) -> Result<(Listed, Token)> {
        self.check_grant(caller, new.role, &new.selectors, "IssueToken").await?;
        let issuer = self.issuer(caller).await?;
        let token = Token::generate();
        let row = TokenRow {
            name: new.name,
            role: new.role.as_str().to_owned(),
            issuer: caller.principal.id.clone(),
            create_time: self.now(),
            issue_time: self.now(),
            expire_time: issuer.expiry(new.expire_time)?,
            selectors: json!(new.selectors).to_string(),
            service: issuer.binding(new.service)?,
            person: issuer.person,
            ..TokenRow::of(&token)
        };
        let event = Event::by(caller, self.now(), "token.issued", token.id())
            .with("name", row.name.as_str())
            .with("role", new.role.as_str())
            .with("selectors", json!(new.selectors))
            .with("service", row.service.as_str())
            .of_change()
            .finish();
        self.store.create_token(&row, &event).await?;
        Ok((self.one(token.id()).await?, token))
    }

    /// Replaces the secret of the caller's own token. The old secret ends at once.
    pub(crate) async fn renew(&self, caller: &Caller) -> Result<(Listed, Token)> {
        let id = caller.principal.id.strip_prefix(TOKEN).ok_or(Error::NothingToRenew)?;
        let old = &caller.principal.token_hash;
        let token = Token::generate_for(id)?;
        let event = Event::by(caller, self.now(), "token.renewed", id).of_change().finish();
        // If two holders of one secret renew it, the first wins; the refusal tells the other that there are two.
        if !self.store.renew_token(id, old, &Hashes::of(&token), &event).await? {
            return Err(Error::TokenEnded);
        }
        self.principals.forget();
        Ok((self.one(id).await?, token))
    }

    /// Replaces the secret of another holder's token. The caller becomes its issuer, and because the caller knows the
    /// new secret, the token then belongs to the caller's person, whoever owned it before.
    pub(crate) async fn reissue(&self, caller: &Caller, id: &str) -> Result<(Listed, Token)> {
        let row = self.one(id).await?.row;
        let role = Role::from_text(&row.role)
            .ok_or_else(|| Error::Inconsistent(format!("api_tokens.role of {id}")))?;
        self.check_grant(caller, role, &selectors(&row)?, "ReissueToken").await?;
        if row.is_over(self.now()) {
            return Err(Error::TokenOver(id.to_owned()));
        }
        // Revoking an issuer was meant to end every token issued under it: only this token becomes valid again, not
        // those that it issued.
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        let cut_time = self.ended(&lineages, id).map(|_| self.now()).or(row.cut_time);
        let issuer = self.issuer(caller).await?;
        let token = Token::generate_for(id)?;
        let expire_time = earlier(row.expire_time, issuer.expire_time);
        let Hashes { hash, introspect_hash } = Hashes::of(&token);
        let reissued = TokenRow {
            hash,
            issuer: caller.principal.id.clone(),
            expire_time,
            service: issuer.binding(Service::from_text(&row.service))?,
            person: issuer.person,
            introspect_hash: Some(introspect_hash),
            issue_time: self.now(),
            cut_time,
            ..row
        };
        let event = Event::by(caller, self.now(), "token.reissued", id)
            .with("name", reissued.name.as_str())
            .with("role", reissued.role.as_str())
            .of_change()
            .finish();
        match self.store.reissue_token(&reissued, &event).await? {
            Reissue::Done => {}
            Reissue::Ended => return Err(Error::TokenOver(id.to_owned())),
            Reissue::Circular => return Err(Error::TokenIsIssuer(id.to_owned())),
        }
        self.principals.forget();
        Ok((self.one(id).await?, token))
    }

    /// Refuses permissions and a selection that the caller does not have.
    async fn check_grant(
        &self,
        caller: &Caller,
        role: Role,
        wanted: &Selectors,
        method: &'static str,
    ) -> Result<()> {
        let permissions = role.permissions();
        if let Some(missing) = permissions.iter().find(|permission| !caller.principal.may(permission)) {
            let permission = missing.clone();
            let holder = caller.principal.noun();
            return Err(Error::PermissionMissing { method: "issuing this role", permission, holder });
        }
        let own = &caller.principal.selectors;
        if !wanted.is_within(own) {
            let (store, selector) = (self.store.as_ref(), describe(own));
            return Err(outside_selection(store, self.now(), caller, method, selector).await);
        }
        Ok(())
    }

    /// The caller as an issuer.
    async fn issuer(&self, caller: &Caller) -> Result<Issuer> {
        let person = person_of(self.store.as_ref(), &caller.principal.id).await?.unwrap_or_default();
        let Some(id) = caller.principal.id.strip_prefix(TOKEN) else {
            return Ok(Issuer { expire_time: None, service: String::new(), person });
        };
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        let row = lineages.token(id).ok_or(Error::TokenEnded)?;
        if lineages.links(id) >= MAX_LINKS {
            return Err(Error::TooManyIssuers);
        }
        Ok(Issuer { expire_time: row.expire_time, service: row.service.clone(), person })
    }
}

impl Issuer {
    /// The expiry of a token for which `wanted` is requested.
    fn expiry(&self, wanted: Option<i64>) -> Result<Option<i64>> {
        match (wanted, self.expire_time) {
            (Some(wanted), Some(own)) if wanted > own => {
                let own = to_jiff(&timestamp(own)).map(|time| time.to_string()).unwrap_or_default();
                let problem = format!("must not be after {own}, when the token that issues it expires");
                Err(Error::Field { field: "expire_time", problem })
            }
            (wanted, own) => Ok(wanted.or(own)),
        }
    }

    /// The binding of a token for which `wanted` is requested.
    fn binding(&self, wanted: Option<Service>) -> Result<String> {
        match wanted {
            Some(wanted) if !wanted.accepts(&self.service) => {
                let problem = format!("must be {}: the token that issues it is bound to that", self.service);
                Err(Error::Field { field: "service", problem })
            }
            Some(wanted) => Ok(wanted.as_str().to_owned()),
            None => Ok(self.service.clone()),
        }
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// A hint for the error message.
fn describe(selectors: &Selectors) -> String {
    format!("a token issued here must be narrowed at least to {}", json!(selectors))
}
