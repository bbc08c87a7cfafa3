//! Restore grants: a principal that may restore this vault gives one to a service, because the service's own token is
//! not enough to change the vault. A grant is a statement like a delegation ([`super::statement`]), for the terms of
//! one restore.

use std::sync::Arc;

use strongroom_runtime::{Caller, Clock, Principal};
use uuid::Uuid;

use super::statement::{Sort, Statement};
use super::{Service, Statements};
use crate::audit::Event;
use crate::error::{Error, RestoreError, Result};
use crate::store::Store;

/// In microseconds.
const LIFE: i64 = 24 * 3600 * 1_000_000;

/// The permission that the grantor must hold until the commit.
const PERMISSION: &str = "vault.restore";

/// A valid grant.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) id: String,
    /// The grantor.
    pub(crate) principal: String,
    pub(crate) name: String,
}

impl Granted {
    /// The grantor as a caller, acting through the service `caller`.
    pub(crate) fn acting(&self, caller: &Caller) -> Caller {
        let principal =
            Principal { id: self.principal.clone(), name: self.name.clone(), ..caller.principal.clone() };
        Caller { principal, via: caller.principal.id.clone(), trace_id: caller.trace_id.clone() }
    }
}

/// Issues and checks grants.
pub(crate) struct Grants {
    store: Arc<dyn Store>,
    statements: Arc<Statements>,
    clock: Arc<dyn Clock>,
}

impl Grants {
    pub(crate) fn new(store: Arc<dyn Store>, statements: Arc<Statements>, clock: Arc<dyn Clock>) -> Self {
        Self { store, statements, clock }
    }

    /// Issues a grant to the service with the principal `service` for the restore `restore_id`, on terms with this
    /// digest. Returns the statement and its expiry.
    pub(crate) async fn issue(
        &self,
        caller: &Caller,
        (service, restore_id): (&str, &str),
        digest: String,
    ) -> Result<(Vec<u8>, i64)> {
        let time = self.clock.now_micros();
        let statement = Statement {
            id: Uuid::now_v7().to_string(),
            principal: caller.principal.id.clone(),
            name: caller.principal.name.clone(),
            service: service.to_owned(),
            time,
            expire_time: time.saturating_add(LIFE),
            permissions: vec![digest],
        };
        let bytes = self.statements.seal(Sort::RestoreGrant, &statement)?;
        let event = Event::by(caller, time, "restore.granted", restore_id)
            .with("grant", statement.id.as_str())
            .with("service", service)
            .finish();
        self.store.append_event(&event).await?;
        Ok((bytes, statement.expire_time))
    }

    /// The grant in `bytes`, if this vault made it for `service` and for terms with this digest, and the grantor still
    /// has the permission.
    ///
    /// # Errors
    /// [`RestoreError::GrantMissing`], [`RestoreError::GrantInvalid`], [`RestoreError::GrantExpired`],
    /// [`RestoreError::GrantEnded`].
    pub(crate) async fn open(&self, service: &str, bytes: &[u8], digest: &str) -> Result<Granted> {
        if bytes.is_empty() {
            return Err(RestoreError::GrantMissing.into());
        }
        let invalid = || Error::from(RestoreError::GrantInvalid);
        let statement = self.statements.open(Sort::RestoreGrant, bytes).await?.ok_or_else(invalid)?;
        if statement.service != service || statement.permissions != [digest] {
            return Err(invalid());
        }
        if statement.expire_time <= self.clock.now_micros() {
            return Err(RestoreError::GrantExpired.into());
        }
        let Statement { id, principal, name, .. } = statement;
        if !self.statements.holds(&principal, Service::Vault, PERMISSION).await? {
            return Err(RestoreError::GrantEnded(principal).into());
        }
        Ok(Granted { id, principal, name })
    }
}
