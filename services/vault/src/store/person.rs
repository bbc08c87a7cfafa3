//! Rows of people, of their identities, and of requests about people. A token's person is in the token's row.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::{Result, from_row};

use super::audit::has_lost_events;
use super::granting::{Columns, Granting};
use super::{NewEvent, TokenRow, UnknownText};

/// Number of people that are enrolled without an approval: the first ones.
pub(crate) const FIRST_PEOPLE: usize = 2;

/// The `people` table. Rows of removed people remain, so that nobody can become the first again.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct PersonRow {
    /// UUIDv7.
    pub id: String,
    /// Unique among people who are not removed.
    pub name: String,
    /// Time of the enrolment.
    pub create_time: i64,
    /// Time of the removal.
    pub remove_time: Option<i64>,
    /// The principal that enrolled the person.
    pub enroller: String,
}

impl Granting for PersonRow {
    const TABLE: &'static str = "people";
    const SELECT: &'static str = PEOPLE;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.text(&self.name);
        columns.number(self.create_time);
        columns.optional_number(self.remove_time);
        columns.text(&self.enroller);
    }
}

/// The `person_identities` table: the person that a configured identity belongs to.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct PersonIdentityRow {
    /// `identity:<name>`.
    pub principal: String,
    /// The person's id.
    pub person: String,
}

impl Granting for PersonIdentityRow {
    const TABLE: &'static str = "person_identities";
    const SELECT: &'static str = IDENTITIES;
    const LIST: u8 = 1;
    const KEY: &'static str = "principal = $4";

    fn name(&self) -> String {
        self.principal.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.principal);
        columns.text(&self.person);
    }
}

/// The change that a request about people asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PersonAction {
    Enrol,
    Remove,
}

impl PersonAction {
    /// The stored text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Remove => "remove",
        }
    }
}

impl TryFrom<String> for PersonAction {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        match text.as_str() {
            "enrol" => Ok(Self::Enrol),
            "remove" => Ok(Self::Remove),
            _ => Err(UnknownText { column: "person_requests.action", text }),
        }
    }
}

/// The `person_requests` table: a request by one person that another can approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonRequestRow {
    /// UUIDv7.
    pub id: String,
    pub action: PersonAction,
    /// The name that the person has or will have.
    pub name: String,
    /// Id of the person; empty for a new one.
    pub person: String,
    /// The token or identity to be enrolled: `token:<id>` or `identity:<name>`; empty for a removal.
    pub subject: String,
    /// SHA-256 of the token at the time of the request, in hex: the approval is for the holder of this secret. Empty in
    /// other cases.
    pub subject_hash: String,
    /// The requester.
    pub requester: String,
    /// Id of the requester's person.
    pub requester_person: String,
    /// The approver; empty until then.
    pub approver: String,
    /// Creation time.
    pub create_time: i64,
    /// Expiry.
    pub expire_time: i64,
    /// Time when it was approved and carried out.
    pub consume_time: Option<i64>,
}

from_row!(PersonRequestRow {
    id, name, person, subject, subject_hash, requester, requester_person, approver, create_time, expire_time, consume_time
} parsed { action });

impl PersonRequestRow {
    /// Whether it can still be approved.
    pub(super) fn is_open(&self, now: i64) -> bool {
        self.consume_time.is_none() && self.expire_time > now
    }

    /// Whether it is the same request by the same person.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let asked = |one: &Self| {
            (
                one.action,
                one.name.clone(),
                one.person.clone(),
                one.subject.clone(),
                one.subject_hash.clone(),
                one.requester_person.clone(),
            )
        };
        asked(self) == asked(other)
    }
}

impl Granting for PersonRequestRow {
    const TABLE: &'static str = "person_requests";
    const SELECT: &'static str = REQUESTS;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.text(self.action.as_str());
        columns.text(&self.name);
        columns.text(&self.person);
        columns.text(&self.subject);
        columns.text(&self.subject_hash);
        columns.text(&self.requester);
        columns.text(&self.requester_person);
        columns.text(&self.approver);
        columns.number(self.create_time);
        columns.number(self.expire_time);
        columns.optional_number(self.consume_time);
    }
}

/// An enrolment to be made.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    /// The person as a new row. An approved request can name an existing person instead.
    pub person: PersonRow,
    /// `token:<id>` or `identity:<name>`.
    pub subject: String,
    pub grounds: Grounds,
}

/// Grounds for an enrolment.
#[derive(Debug, Clone)]
pub(crate) enum Grounds {
    /// Fewer than [`FIRST_PEOPLE`] were ever enrolled.
    First,
    /// The enroller has a break-glass token, and has enrolled fewer than [`FIRST_PEOPLE`] people with it.
    BreakGlass,
    /// A request for the enrolment, which another person approves.
    Approved(PersonApproval),
}

/// The approval of an open request, which it consumes.
#[derive(Debug, Clone)]
pub(crate) struct PersonApproval {
    pub request_id: String,
    pub approver: String,
    pub now: i64,
}

/// Result of an enrolment or a removal; all except `Done` have written nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Enrolled {
    Done,
    /// The grounds do not hold.
    NotFirst,
    /// The request is consumed, lapsed or missing.
    Closed,
    /// A person who is not removed has this name.
    NameTaken,
    /// The person is missing or removed.
    PersonMissing,
    /// No valid token has this id.
    SubjectMissing,
    /// The token or identity belongs to this person.
    SubjectTaken(String),
    /// The token's secret was replaced after the request.
    SubjectChanged,
    /// Too few people would remain to approve anything.
    TooFew,
}

/// People in the database.
#[async_trait]
pub(crate) trait PersonStore: Send + Sync {
    /// Everybody who was ever enrolled, by enrolment time.
    async fn people(&self) -> Result<Vec<PersonRow>>;
    /// The identities that belong to people.
    async fn person_identities(&self) -> Result<Vec<PersonIdentityRow>>;
    /// One identity.
    async fn person_identity(&self, principal: &str) -> Result<Option<PersonIdentityRow>>;
    /// The enrolled tokens, without those that inherit their person.
    async fn enrolled_tokens(&self) -> Result<Vec<TokenRow>>;
    /// Enrols a token or an identity for a person, on its grounds.
    async fn enrol(&self, enrolment: &Enrolment, event: &NewEvent) -> Result<Enrolled>;
    /// Removes a person with the approval of a request.
    async fn remove_person(&self, id: &str, approval: &PersonApproval, event: &NewEvent) -> Result<Enrolled>;
    /// Returns the same person's open request for the same change; if there is none, inserts `request`.
    async fn open_person_request(
        &self,
        request: &PersonRequestRow,
        event: &NewEvent,
    ) -> Result<PersonRequestRow>;
    /// One request.
    async fn person_request(&self, id: &str) -> Result<Option<PersonRequestRow>>;
    /// Open requests, newest first.
    async fn open_person_requests(&self, now: i64) -> Result<Vec<PersonRequestRow>>;
}

pub(super) const PEOPLE: &str = "
    SELECT id, name, create_time, remove_time, enroller, row_kid, row_mac, change_id
    FROM people ORDER BY create_time, id";

pub(super) const INSERT: &str = "
    INSERT INTO people (id, name, create_time, enroller, row_kid, row_mac, change_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) const REMOVE: &str = "
    UPDATE people SET remove_time = $2, row_kid = $3, row_mac = $4, change_id = $5 WHERE id = $1";

/// Number of enrolments in the log, and whether the log has lost events.
pub(super) const TRACES: &str =
    concat!("SELECT (SELECT count(*) FROM audit_logs WHERE event = 'person.enrolled'), ", has_lost_events!());

pub(super) const IDENTITIES: &str = "
    SELECT principal, person, row_kid, row_mac, change_id FROM person_identities ORDER BY principal";

pub(super) const IDENTITY: &str = "
    SELECT principal, person, row_kid, row_mac, change_id FROM person_identities WHERE principal = $1";

pub(super) const PUT_IDENTITY: &str = "
    INSERT INTO person_identities (principal, person, row_kid, row_mac, change_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (principal) DO UPDATE
    SET person = excluded.person, row_kid = excluded.row_kid, row_mac = excluded.row_mac,
        change_id = excluded.change_id";

pub(super) const REQUESTS: &str = "
    SELECT id, action, name, person, subject, subject_hash, requester, requester_person, approver, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM person_requests";

pub(super) const REQUEST: &str = "
    SELECT id, action, name, person, subject, subject_hash, requester, requester_person, approver, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM person_requests WHERE id = $1";

pub(super) const OPEN_REQUESTS: &str = "
    SELECT id, action, name, person, subject, subject_hash, requester, requester_person, approver, create_time, expire_time,
           consume_time, row_kid, row_mac, change_id
    FROM person_requests WHERE consume_time IS NULL AND expire_time > $1
    ORDER BY create_time DESC, id DESC";

pub(super) const INSERT_REQUEST: &str = "
    INSERT INTO person_requests
        (id, action, name, person, subject, subject_hash, requester, requester_person, approver, create_time,
         expire_time, row_kid, row_mac, change_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

pub(super) const CONSUME_REQUEST: &str = "
    UPDATE person_requests SET approver = $2, consume_time = $3, row_kid = $4, row_mac = $5, change_id = $6
    WHERE id = $1";
