//! Approvals: a refused retirement is allowed once another person has approved it.

use std::sync::Arc;

use strongroom_runtime::{Caller, Clock};
use uuid::Uuid;

use crate::audit::Event;
use crate::error::{Error, Result};
use crate::people::{People, dependence};
use crate::store::{KeyApproval, KeyRequestRow, Outcome, PersonRow, RetirementAction, Store};

/// Time within which a request can be approved and used, in microseconds.
const LAPSES_AFTER: i64 = 24 * 60 * 60 * 1_000_000;

/// Requests for retirements that were refused.
pub(crate) struct Approvals {
    store: Arc<dyn Store>,
    people: Arc<People>,
    clock: Arc<dyn Clock>,
}

impl Approvals {
    pub(crate) fn new(store: Arc<dyn Store>, people: Arc<People>, clock: Arc<dyn Clock>) -> Self {
        Self { store, people, clock }
    }

    /// The person that `caller` acts for, who can ask for an approval; `None` if there is none.
    pub(super) async fn person(&self, caller: &Caller) -> Result<Option<PersonRow>> {
        self.people.of(caller).await
    }

    /// The person's open request for a step of a version; created if there is none.
    pub(super) async fn open(
        &self,
        caller: &Caller,
        person: &PersonRow,
        kid: &str,
        action: RetirementAction,
    ) -> Result<KeyRequestRow> {
        let now = self.now();
        let request = KeyRequestRow {
            id: Uuid::now_v7().to_string(),
            kid: kid.to_owned(),
            action,
            requester: caller.principal.id.clone(),
            requester_person: person.id.clone(),
            approver: String::new(),
            approver_person: String::new(),
            create_time: now,
            expire_time: now + LAPSES_AFTER,
            consume_time: None,
        };
        let event = Event::by(caller, now, "key.request_opened", kid)
            .with("request_id", request.id.as_str())
            .with("action", action.as_str())
            .of_change()
            .finish();
        Ok(self.store.open_key_request(&request, &event).await?)
    }

    /// Requests that can be approved, or are approved and not yet used.
    pub(crate) async fn requests(&self) -> Result<Vec<KeyRequestRow>> {
        Ok(self.store.open_key_requests(self.now()).await?)
    }

    /// Allows the requester's next attempt.
    pub(crate) async fn approve(&self, caller: &Caller, id: &str) -> Result<KeyRequestRow> {
        let request = self.request(id).await?;
        let event = Event::by(caller, self.now(), "key.request_approved", &request.kid)
            .with("request_id", id)
            .with("action", request.action.as_str())
            .with("requester", request.requester.as_str());
        let person = self.people.of(caller).await?;
        if let Some(problem) = dependence(person.as_ref(), &request.requester_person, request.create_time) {
            let event = event.outcome(Outcome::Denied).with("reason", problem).finish();
            self.store.append_event(&event).await?;
            return Err(Error::Approver { id: id.to_owned(), problem });
        }
        if self.is_approved(&request).await? {
            return Err(Error::KeyRequestClosed(id.to_owned()));
        }
        let approval = KeyApproval {
            request_id: id.to_owned(),
            instead_of: request.approver,
            approver: caller.principal.id.clone(),
            person: person.map(|person| person.id).unwrap_or_default(),
            now: self.now(),
        };
        if !self.store.approve_key_request(&approval, &event.of_change().finish()).await? {
            return Err(Error::KeyRequestClosed(id.to_owned()));
        }
        self.request(id).await
    }

    /// Whether a person has approved it who was not removed afterwards.
    pub(super) async fn is_approved(&self, request: &KeyRequestRow) -> Result<bool> {
        Ok(!request.approver.is_empty() && self.people.live(&request.approver_person).await?.is_some())
    }

    async fn request(&self, id: &str) -> Result<KeyRequestRow> {
        let found = self.store.key_request(id).await?;
        found.ok_or_else(|| Error::KeyRequestNotFound(id.to_owned()))
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}
