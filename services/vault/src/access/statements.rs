//! Makes and opens statements with the vault's audit key, and checks whether their principal still holds a permission.

use std::sync::Arc;

use strongroom_crypto::{Error as CryptoError, Purpose};

use super::statement::{Sort, Statement};
use super::{Identities, Service, Tokens};
use crate::error::Result;
use crate::keys::Ring;
use crate::store::key_names::AUDIT_KEY;

/// Statements of this vault.
pub(crate) struct Statements {
    ring: Arc<Ring>,
    tokens: Arc<Tokens>,
    identities: Arc<Identities>,
}

impl Statements {
    pub(crate) fn new(ring: Arc<Ring>, tokens: Arc<Tokens>, identities: Arc<Identities>) -> Self {
        Self { ring, tokens, identities }
    }

    /// The bytes of `statement`, under the primary version of the audit key.
    pub(super) fn seal(&self, sort: Sort, statement: &Statement) -> Result<Vec<u8>> {
        let ring = self.ring.current();
        let kid = ring.primary(AUDIT_KEY)?.kid();
        Ok(statement.seal(sort, kid, &ring.mac_key(kid, Purpose::Audit)?))
    }

    /// The statement in `bytes`; `None` unless this vault made them.
    pub(super) async fn open(&self, sort: Sort, bytes: &[u8]) -> Result<Option<Statement>> {
        let Some(kid) = Statement::kid(bytes) else { return Ok(None) };
        let mut key = self.ring.current().mac_key(kid, Purpose::Audit);
        // Another process may just have created the version.
        if matches!(key, Err(CryptoError::UnknownVersion { .. })) {
            self.ring.reload().await?;
            key = self.ring.current().mac_key(kid, Purpose::Audit);
        }
        Ok(key.ok().and_then(|key| Statement::open(sort, bytes, &key)))
    }

    /// Whether `principal`, an identity or a token of `service`, holds the permission now.
    pub(super) async fn holds(&self, principal: &str, service: Service, permission: &str) -> Result<bool> {
        let holder = match self.identities.by_principal(principal) {
            Some(identity) => Some(identity),
            None => self.tokens.by_principal(principal, service).await?,
        };
        Ok(holder.is_some_and(|holder| holder.may(permission)))
    }
}
