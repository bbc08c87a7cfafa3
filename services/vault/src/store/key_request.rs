//! Rows of requests for refused retirements.

use async_trait::async_trait;
use strongroom_store::{Result, from_row};

use super::granting::{Columns, Granting};
use super::{NewEvent, UnknownText};

/// A step that can make values unreadable.
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

/// A retirement that was refused and can be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRequestRow {
    /// UUIDv7.
    pub id: String,
    /// The version to be retired.
    pub kid: String,
    /// The step.
    pub action: RetirementAction,
    /// The refused caller.
    pub requester: String,
    /// Id of the person that the caller acts for.
    pub requester_person: String,
    /// The approver; empty until then.
    pub approver: String,
    /// Id of the person that the approver acted for.
    pub approver_person: String,
    /// Creation time.
    pub create_time: i64,
    /// Expiry.
    pub expire_time: i64,
    /// Time of the approved retirement.
    pub consume_time: Option<i64>,
}

from_row!(KeyRequestRow { id, kid, requester, requester_person, approver, approver_person, create_time, expire_time, consume_time } parsed { action });

impl KeyRequestRow {
    /// Whether it is neither consumed nor expired.
    pub(super) fn is_open(&self, now: i64) -> bool {
        self.consume_time.is_none() && self.expire_time > now
    }
}

impl Granting for KeyRequestRow {
    const TABLE: &'static str = "key_requests";
    const SELECT: &'static str = SELECT;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.text(&self.kid);
        columns.text(self.action.as_str());
        columns.text(&self.requester);
        columns.text(&self.requester_person);
        columns.text(&self.approver);
        columns.text(&self.approver_person);
        columns.number(self.create_time);
        columns.number(self.expire_time);
        columns.optional_number(self.consume_time);
    }
}

/// Requests in the database. Open ones are neither consumed nor expired.
#[async_trait]
pub(crate) trait KeyRequestStore: Send + Sync {
    /// The open request for the same version, action and person; otherwise inserts `request`.
    async fn open_key_request(&self, request: &KeyRequestRow, event: &NewEvent) -> Result<KeyRequestRow>;
    /// One request.
    async fn key_request(&self, id: &str) -> Result<Option<KeyRequestRow>>;
    /// Open requests, newest first.
    async fn open_key_requests(&self, now: i64) -> Result<Vec<KeyRequestRow>>;
    /// Approves an open request; false if it is not open, or its approver is not the expected one.
    async fn approve_key_request(&self, approval: &KeyApproval, event: &NewEvent) -> Result<bool>;
}

/// An approval of a retirement.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyApproval {
    pub request_id: String,
    /// The current approver of the request: none, or one whose person was removed since.
    pub instead_of: String,
    pub approver: String,
    pub person: String,
    pub now: i64,
}

pub(super) const SELECT: &str = "
    SELECT id, kid, action, requester, requester_person, approver, approver_person, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM key_requests";

pub(super) const SELECT_OPEN: &str = "
    SELECT id, kid, action, requester, requester_person, approver, approver_person, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM key_requests
    WHERE kid = $1 AND action = $2 AND requester_person = $3 AND consume_time IS NULL AND expire_time > $4";

pub(super) const SELECT_BY_ID: &str = "
    SELECT id, kid, action, requester, requester_person, approver, approver_person, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM key_requests WHERE id = $1";

pub(super) const LIST_OPEN: &str = "
    SELECT id, kid, action, requester, requester_person, approver, approver_person, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM key_requests WHERE consume_time IS NULL AND expire_time > $1
    ORDER BY create_time DESC, id DESC";

pub(super) const INSERT: &str = "
    INSERT INTO key_requests
        (id, kid, action, requester, requester_person, approver, create_time, expire_time,
         row_kid, row_mac, change_id, approver_person)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '')";

pub(super) const UPDATE: &str = "
    UPDATE key_requests
    SET approver = $2, consume_time = $3, row_kid = $4, row_mac = $5, change_id = $6, approver_person = $7
    WHERE id = $1";

/// State changes of the version `$1` that the request `$2` allowed.
pub(super) const COUNT_USES: &str = "
    SELECT count(*) FROM audit_logs
    WHERE target = $1 AND event LIKE 'key.version_%' AND metadata LIKE '%\"request_id\":\"' || $2 || '\"%'";
