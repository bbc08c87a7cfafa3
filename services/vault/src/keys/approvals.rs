//! Approvals: a refused retirement passes once a second principal approves it. The approver must not depend on the
//! requester.

use std::sync::Arc;

use strongroom_runtime::{Caller, Clock};
use uuid::Uuid;

use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{KeyRequestRow, Outcome, RetirementAction, Store, TokenRow};

/// How long a request can be approved and used, in microseconds.
const LAPSES_AFTER: i64 = 24 * 60 * 60 * 1_000_000;

/// Issuers that are followed above a token at most.
const MAX_ISSUERS: usize = 1000;

/// Requests for retirements that were refused.
pub(crate) struct Approvals {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Approvals {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The caller's open request for a step of a version, made now if there is none.
    pub(super) async fn open(
        &self,
        caller: &Caller,
        kid: &str,
        action: RetirementAction,
    ) -> Result<KeyRequestRow> {
        let now = self.now();
        let request = KeyRequestRow {
            id: Uuid::now_v7().to_string(),
            kid: kid.to_owned(),
            action,
            requester: caller.principal.id.clone(),
            approver: String::new(),
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

    /// Requests that may be approved, or were and are not used yet.
    pub(crate) async fn requests(&self) -> Result<Vec<KeyRequestRow>> {
        Ok(self.store.open_key_requests(self.now()).await?)
    }

    /// Lets the requester's next try go through.
    pub(crate) async fn approve(&self, caller: &Caller, id: &str) -> Result<KeyRequestRow> {
        let request = self.request(id).await?;
        let event = Event::by(caller, self.now(), "key.request_approved", &request.kid)
            .with("request_id", id)
            .with("action", request.action.as_str())
            .with("requester", request.requester.as_str());
        if let Some(problem) = self.dependence(&caller.principal.id, &request).await? {
            let event = event.outcome(Outcome::Denied).with("reason", problem).finish();
            self.store.append_event(&event).await?;
            return Err(Error::KeyApprover { id: id.to_owned(), problem });
        }
        let approver = &caller.principal.id;
        if !self.store.approve_key_request(id, approver, self.now(), &event.of_change().finish()).await? {
            return Err(Error::KeyRequestClosed(id.to_owned()));
        }
        self.request(id).await
    }

    async fn request(&self, id: &str) -> Result<KeyRequestRow> {
        let found = self.store.key_request(id).await?;
        found.ok_or_else(|| Error::KeyRequestNotFound(id.to_owned()))
    }

    /// How the approver depends on the requester; `None` when it does not.
    async fn dependence(&self, approver: &str, request: &KeyRequestRow) -> Result<Option<&'static str>> {
        if approver == request.requester {
            return Ok(Some("it is the requester"));
        }
        let Some(mut token) = self.token_of(approver).await? else {
            return Ok(Some("it is not known since before the request"));
        };
        if token.create_time >= request.create_time {
            return Ok(Some("it was made after the request"));
        }
        for _ in 0..MAX_ISSUERS {
            if token.issuer == request.requester {
                return Ok(Some("it goes back to a token that the requester issued"));
            }
            match self.token_of(&token.issuer).await? {
                Some(issuer) => token = issuer,
                None => return Ok(None),
            }
        }
        Ok(Some("it has too many issuers to follow"))
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    async fn token_of(&self, principal: &str) -> Result<Option<TokenRow>> {
        match principal.strip_prefix("token:") {
            Some(id) => Ok(self.store.token(id).await?),
            None => Ok(None),
        }
    }
}
