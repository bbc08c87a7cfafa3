//! Rows of refused retirements.

use async_trait::async_trait;
use strongroom_store::Result;

use super::row::from_row;
use super::{NewEvent, UnknownText};

/// A step that may make values unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetirementAction {
    Disable,
    Destroy,
}

impl RetirementAction {
    /// The stored text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Destroy => "destroy",
        }
    }
}

impl TryFrom<String> for RetirementAction {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        match text.as_str() {
            "disable" => Ok(Self::Disable),
            "destroy" => Ok(Self::Destroy),
            _ => Err(UnknownText { column: "key_requests.action", text }),
        }
    }
}

/// A retirement that was refused and may be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRequestRow {
    /// UUIDv7.
    pub id: String,
    /// The version to be retired.
    pub kid: String,
    /// The step.
    pub action: RetirementAction,
    /// Who was refused.
    pub requester: String,
    /// Who approved; empty until then.
    pub approver: String,
    /// When it was opened.
    pub create_time: i64,
    /// When it lapses.
    pub expire_time: i64,
    /// When the retirement went through.
    pub consume_time: Option<i64>,
}

from_row!(KeyRequestRow { id, kid, requester, approver, create_time, expire_time, consume_time } parsed { action });

/// Requests in the database. Open ones are neither consumed nor expired.
#[async_trait]
pub(crate) trait KeyRequestStore: Send + Sync {
    /// The open request for the same version, action and requester, or else `request`, inserted.
    async fn open_key_request(&self, request: &KeyRequestRow, event: &NewEvent) -> Result<KeyRequestRow>;
    /// One request.
    async fn key_request(&self, id: &str) -> Result<Option<KeyRequestRow>>;
    /// Open requests, newest first.
    async fn open_key_requests(&self, now: i64) -> Result<Vec<KeyRequestRow>>;
    /// Approves an open request; false when it is not open or approved already.
    async fn approve_key_request(&self, id: &str, approver: &str, now: i64, event: &NewEvent)
    -> Result<bool>;
}

pub(super) const SELECT_OPEN: &str = "
    SELECT id, kid, action, requester, approver, create_time, expire_time, consume_time
    FROM key_requests
    WHERE kid = $1 AND action = $2 AND requester = $3 AND consume_time IS NULL AND expire_time > $4";

pub(super) const SELECT_BY_ID: &str = "
    SELECT id, kid, action, requester, approver, create_time, expire_time, consume_time
    FROM key_requests WHERE id = $1";

pub(super) const LIST_OPEN: &str = "
    SELECT id, kid, action, requester, approver, create_time, expire_time, consume_time
    FROM key_requests WHERE consume_time IS NULL AND expire_time > $1
    ORDER BY create_time DESC, id DESC";

pub(super) const INSERT: &str = "
    INSERT INTO key_requests (id, kid, action, requester, approver, create_time, expire_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) const APPROVE: &str = "
    UPDATE key_requests SET approver = $2
    WHERE id = $1 AND approver = '' AND consume_time IS NULL AND expire_time > $3";

pub(super) const CONSUME: &str = "
    UPDATE key_requests SET consume_time = $2
    WHERE id = $1 AND approver <> '' AND consume_time IS NULL AND expire_time > $2";
