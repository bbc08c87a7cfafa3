//! Delegations: a service shows one to the vault to name its caller as the actor of an event.
//!
//! A service's own token only proves the identity of the service. A stolen one must not create events in anybody's
//! name, so the vault takes the actor from a statement that it made itself when the caller was introspected
//! ([`super::statement`]).

use std::sync::Arc;

use serde_json::{Map, Value};
use strongroom_runtime::{Caller, Clock, Principal};
use uuid::Uuid;

use super::service_events::{DENIED, allows, check_event, delegable, is_own};
use super::statement::{Sort, Statement};
use super::{Service, Statements};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{NewEvent, Outcome, Store};

/// How long a delegation is valid, in microseconds: the maximum duration of an operation with the default limits.
const LIFE: i64 = 24 * 3600 * 1_000_000;
/// Extra time for the last event of an operation that took that long.
const LAST_WORDS: i64 = 5 * 60 * 1_000_000;

/// Issues and checks delegations.
pub(crate) struct Delegations {
    store: Arc<dyn Store>,
    statements: Arc<Statements>,
    clock: Arc<dyn Clock>,
}

impl Delegations {
    pub(crate) fn new(store: Arc<dyn Store>, statements: Arc<Statements>, clock: Arc<dyn Clock>) -> Self {
        Self { store, statements, clock }
    }

    /// A delegation from `principal`, which called `service`, to that service.
    pub(crate) fn issue(&self, service: &Caller, principal: &Principal) -> Result<Vec<u8>> {
        let who = (principal.id.clone(), principal.name.clone());
        self.seal(service, who, delegable(&principal.permissions))
    }

    fn seal(
        &self,
        service: &Caller,
        (principal, name): (String, String),
        permissions: Vec<String>,
    ) -> Result<Vec<u8>> {
        let time = self.clock.now_micros();
        let statement = Statement {
            id: Uuid::now_v7().to_string(),
            principal,
            name,
            service: service.principal.id.clone(),
            time,
            expire_time: time.saturating_add(LIFE),
            permissions,
        };
        self.statements.seal(Sort::Delegation, &statement)
    }

    /// The event that `service` wants to record, with the actor that the delegation names. A refusal that only a
    /// misbehaving service meets is recorded as an event too.
    pub(crate) async fn attribute(
        &self,
        service: &Caller,
        delegation: &[u8],
        event: NewEvent,
    ) -> Result<NewEvent> {
        check_event("event.event", &event.event)?;
        if event.event == DENIED && event.outcome != Outcome::Denied.as_str() {
            let problem = format!("must be DENIED for {DENIED}");
            return Err(Error::Field { field: "event.outcome", problem });
        }
        if delegation.is_empty() && is_own(&event.event) {
            return Ok(NewEvent { actor: service.principal.id.clone(), ..event });
        }
        let statement = self.open(service, delegation, "RecordAuditEvent").await?;
        let now = self.clock.now_micros();
        let refusal = if now > statement.expire_time.saturating_add(LAST_WORDS) {
            Error::DelegationExpired
        } else if !allows(&statement.permissions, &event.event) {
            Error::DelegationEvent { principal: statement.principal, event: event.event }
        } else {
            return attributed(event, statement);
        };
        self.record_refusal(service, "RecordAuditEvent", &refusal).await;
        Err(refusal)
    }

    /// The delegating principal, and a renewed delegation of `permission` if the principal still has it. The given
    /// delegation must have been made for `service`.
    pub(crate) async fn check(
        &self,
        service: &Caller,
        delegation: &[u8],
        permission: &str,
    ) -> Result<(String, Option<Vec<u8>>)> {
        let Statement { principal, name, permissions, .. } =
            self.open(service, delegation, "CheckDelegation").await?;
        let is_delegated = permissions.iter().any(|delegated| delegated == permission);
        if !is_delegated || !self.statements.holds(&principal, Service::Backup, permission).await? {
            return Ok((principal, None));
        }
        let renewed = self.seal(service, (principal.clone(), name), vec![permission.to_owned()])?;
        Ok((principal, Some(renewed)))
    }

    /// The delegation's statement, if this vault made it for `service`.
    async fn open(&self, service: &Caller, bytes: &[u8], method: &'static str) -> Result<Statement> {
        if bytes.is_empty() {
            let problem = "must be that of the caller, from the introspection".into();
            return Err(Error::Field { field: "delegation", problem });
        }
        let opened = self.statements.open(Sort::Delegation, bytes).await?;
        let statement = opened.ok_or(Error::DelegationInvalid)?;
        if statement.service != service.principal.id {
            self.record_refusal(service, method, &Error::DelegationForeign).await;
            return Err(Error::DelegationForeign);
        }
        Ok(statement)
    }

    async fn record_refusal(&self, service: &Caller, method: &'static str, refusal: &Error) {
        let event = Event::by(service, self.clock.now_micros(), DENIED, method)
            .outcome(Outcome::Denied)
            .with("problem", refusal.to_string())
            .finish();
        if let Err(error) = self.store.append_event(&event).await {
            let service = service.principal.id.as_str();
            tracing::error!(%error, method, service, "the misuse of a delegation could not be recorded");
        }
    }
}

/// Also overwrites the actor's details that the service put into the metadata.
fn attributed(event: NewEvent, statement: Statement) -> Result<NewEvent> {
    let unreadable = |_| Error::Inconsistent("the metadata of an event is not a JSON object".into());
    let mut metadata: Map<String, Value> = serde_json::from_str(&event.metadata).map_err(unreadable)?;
    metadata.insert("actor_name".into(), statement.name.into());
    metadata.insert("delegation".into(), statement.id.into());
    Ok(NewEvent { actor: statement.principal, metadata: Value::Object(metadata).to_string(), ..event })
}
