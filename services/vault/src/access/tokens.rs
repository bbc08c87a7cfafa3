//! Tokens: the verbs of `TokenService`, and what a token stands for.

use std::sync::Arc;

use serde_json::json;
use strongroom_crypto::Token;
use strongroom_runtime::{Caller, Principal, Selectors};

use crate::error::{Error, Result};
use crate::paging::{self, Page};
use crate::roles;
use crate::store::TokenRow;
use crate::vault::Vault;

/// How exact `last_used_time` is: a write a minute, not a write a call.
const LAST_USED_STEP: i64 = 60_000_000;

impl Vault {
    pub(crate) async fn issue_token(
        &self,
        caller: &Caller,
        name: String,
        role: &str,
        expire_time: Option<i64>,
        selectors: &Selectors,
    ) -> Result<(TokenRow, Token)> {
        let permissions = roles::permissions(role).ok_or_else(|| Error::Field {
            field: "role",
            problem: format!("must be one of {}", roles::NAMES.join(", ")),
        })?;
        if let Some(missing) = permissions.iter().find(|permission| !caller.principal.may(permission)) {
            let permission = missing.clone();
            return Err(Error::PermissionMissing { method: "issuing this role", permission });
        }
        let own = &caller.principal.selectors;
        if !selectors.is_within(own) {
            let selector = describe(own);
            return Err(self.outside(caller, "IssueToken", selector).await);
        }
        let token = Token::generate();
        let row = TokenRow {
            id: token.id().to_owned(),
            hash: token.hash().to_vec(),
            name,
            role: role.to_owned(),
            issuer: caller.principal.id.clone(),
            create_time: self.now(),
            expire_time,
            last_used_time: None,
            revoke_time: None,
            selectors: json!(selectors).to_string(),
        };
        let event = self
            .event(caller, "token.issued", token.id())
            .with("name", row.name.as_str())
            .with("role", role)
            .with("selectors", json!(selectors))
            .finish();
        self.store.create_token(&row, &event).await?;
        Ok((row, token))
    }

    pub(crate) async fn tokens(&self, page: &Page<'_>) -> Result<(Vec<TokenRow>, String)> {
        let key = paging::Key::new("tokens", &());
        let last = key.open(&self.ring(), page.token)?;
        let (time, id) = match last.as_deref().map(|last| last.split_once(' ')) {
            None => (i64::MIN, ""),
            Some(Some((time, id))) => (time.parse().map_err(|_| paging::foreign_token())?, id),
            Some(None) => return Err(paging::foreign_token()),
        };
        let mut rows = self.store.tokens((time, id), page.fetch()).await?;
        let next = page.cut(&mut rows, |row| format!("{} {}", row.create_time, row.id));
        Ok((rows, key.seal(&self.ring(), next)?))
    }

    pub(crate) async fn revoke_token(&self, caller: &Caller, id: &str) -> Result<TokenRow> {
        let event = self.event(caller, "token.revoked", id).finish();
        self.store.revoke_token(id, self.now(), &event).await?;
        self.principals.forget();
        self.store.token(id).await?.ok_or_else(|| Error::TokenNotFound(id.to_owned()))
    }

    /// Who a token's text stands for, from memory if it was asked a moment ago.
    pub(crate) async fn known_principal(&self, text: &str) -> Result<Option<Principal>, Arc<Error>> {
        self.principals.get_or(text, self.principal(text)).await
    }

    /// Who a token's text stands for, read from the database; `None` when it is not valid now.
    pub(crate) async fn principal(&self, text: &str) -> Result<Option<Principal>> {
        let Ok(token) = Token::parse(text.trim()) else { return Ok(None) };
        let Some(row) = self.store.token_by_hash(&token.hash()).await? else { return Ok(None) };
        let now = self.now();
        if row.revoke_time.is_some() || row.expire_time.is_some_and(|expiry| expiry <= now) {
            return Ok(None);
        }
        if row.last_used_time.is_none_or(|last| now - last >= LAST_USED_STEP) {
            self.store.touch_token(&row.id, now).await?;
        }
        let permissions = roles::permissions(&row.role)
            .ok_or_else(|| Error::Inconsistent(format!("api_tokens.role of {}", row.id)))?;
        let selectors = Arc::new(selectors(&row)?);
        let permissions = if selectors.is_everything() { permissions } else { roles::narrowed(&permissions) };
        Ok(Some(Principal { id: format!("token:{}", row.id), name: row.name, permissions, selectors }))
    }
}

/// What a token is narrowed to. What cannot be read is an error: it must not become everything.
pub(crate) fn selectors(row: &TokenRow) -> Result<Selectors> {
    serde_json::from_str(&row.selectors)
        .map_err(|_| Error::Inconsistent(format!("api_tokens.selectors of {}", row.id)))
}

/// For people.
fn describe(selectors: &Selectors) -> String {
    format!("a token issued here must be narrowed at least to {}", json!(selectors))
}
