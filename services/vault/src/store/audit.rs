//! Rows of the audit log.

mod tail;

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx_macros::FromRow;
use strongroom_store::{Error, Result};

use super::chain::{ChainKey, START};
use super::event::{NewEvent, Outcome};
use super::granting::Examined;

pub(super) use tail::{Failures, LogTail};

/// The `audit_logs` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditRow {
    /// The event's number: they begin at 1 and have no gaps.
    pub sequence: i64,
    /// Time of the event.
    pub time: i64,
    /// The actor.
    pub actor: String,
    /// The service that the actor used, if any.
    pub via: String,
    /// Name of the event.
    pub event: String,
    /// Target of the event.
    pub target: String,
    /// A JSON object.
    pub metadata: String,
    /// The call's trace id, or empty.
    pub trace_id: String,
    /// The text of an [`Outcome`].
    pub outcome: String,
    /// Joins the start and the end of a long operation.
    pub operation_id: Option<String>,
}

/// Position of the newest event.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct AuditHead {
    /// 0 if the log is empty.
    pub sequence: i64,
    /// `None` if the log is empty.
    pub time: Option<i64>,
    /// The newest event's MAC; `None` if it has none.
    pub mac: Option<Vec<u8>>,
    /// The version of the audit key that made the MAC.
    pub key_kid: Option<String>,
}

/// An event and its link in the chain.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct ChainedRow {
    /// Its position.
    pub sequence: i64,
    /// The event.
    #[sqlx(flatten)]
    pub event: NewEvent,
    /// The version of the audit key that made the MAC.
    pub key_kid: Option<String>,
    /// The MAC.
    pub mac: Option<Vec<u8>>,
}

/// The `audit_checkpoints` table: the points up to which events were removed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct CheckpointRow {
    /// The last removed event.
    pub sequence: i64,
    /// Its MAC.
    pub mac: Vec<u8>,
    /// Time of the removal.
    pub time: i64,
    /// Number of removed events.
    pub removed: i64,
    /// The version of the audit key that made `code`.
    pub key_kid: String,
    /// A MAC over the other fields.
    pub code: Vec<u8>,
}

/// The oldest events that one transaction can remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prunable {
    /// The oldest event.
    pub(crate) first: i64,
    /// The last event to be removed.
    pub(crate) last: i64,
}

/// Receives the log from one snapshot: `begin` once, then every event in order.
pub(crate) trait ChainReader: Send {
    /// The head (`None` if its row is missing) and the newest checkpoint.
    fn begin(&mut self, head: Option<AuditHead>, checkpoint: Option<CheckpointRow>);
    /// The next event.
    fn event(&mut self, row: ChainedRow);
    /// The next row that grants access; called after the events, in the same snapshot.
    fn row(&mut self, row: Examined);
}

/// Filter for listing events; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// An exact name, or a family: `credential.*`. Empty matches all.
    pub event: String,
    /// Empty matches all.
    pub actor: String,
    /// Empty matches all.
    pub target: String,
    /// At or after this time.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
}

/// Filter for closing operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CloseFilter {
    /// The event that opens an operation.
    pub started_event: String,
    /// The event that closes it.
    pub ended_event: String,
    /// Operations of this process instance; empty matches none.
    pub instance: String,
    /// Operations that started before this time, in any instance.
    pub started_before: i64,
    /// The service that closes them, on its own initiative.
    pub closer: String,
    /// Its display name.
    pub closer_name: String,
}

/// The audit log in the database.
#[async_trait]
pub(crate) trait AuditStore: Send + Sync {
    /// Sets the key that chains further events. Without a key, no event can be appended.
    fn set_chain(&self, key: ChainKey);
    /// Number of events that this process could not append.
    fn audit_failures(&self) -> u64;
    /// Appends one event and returns its sequence. An event with the same name and operation id is appended only once;
    /// a repetition returns the earlier one's sequence.
    async fn append_event(&self, event: &NewEvent) -> Result<i64>;
    /// Events with a sequence below `before`, newest first.
    async fn events(&self, filter: &EventFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>>;
    /// Events above `after` up to `through`, oldest first.
    async fn events_after(
        &self,
        filter: &EventFilter,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>>;
    /// At most `limit` rows that should grant access but have a wrong MAC.
    async fn tampered_rows(&self, limit: usize) -> Result<Vec<Examined>>;
    /// Passes the whole log, and then every row that grants access, to `reader`, in one snapshot.
    async fn read_chain(&self, reader: &mut dyn ChainReader) -> Result<()>;
    /// The oldest events, all of them older than `before`: at most `limit`, and never the newest event.
    async fn prunable(&self, before: i64, limit: i64) -> Result<Option<Prunable>>;
    /// Removes these events and writes a checkpoint. Returns their number, or `None` if another process removed them
    /// first.
    async fn prune_events(&self, prunable: Prunable, now: i64, event: &NewEvent) -> Result<Option<i64>>;
    /// The oldest event's sequence; 0 while the log is empty.
    async fn first_event(&self) -> Result<i64>;
    /// Position of the newest event.
    async fn audit_head(&self) -> Result<AuditHead>;
    /// Id of the log, created with the key ring.
    async fn audit_chain(&self) -> Result<String>;
    /// Closes operations that were started and never ended; returns their number.
    async fn close_operations(&self, filter: &CloseFilter, now: i64) -> Result<i64>;
}

/// Operations that one transaction closes.
pub(super) const CLOSE_BATCH: i64 = 500;

pub(super) const SELECT: &str = "
    SELECT sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id
    FROM audit_logs";

pub(super) const SELECT_CHAINED: &str = "
    SELECT sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id, key_kid, mac
    FROM audit_logs WHERE sequence > $1 ORDER BY sequence LIMIT $2";

/// Events that a reader of the chain gets from one statement.
pub(super) const CHAIN_PAGE: i64 = 1000;

/// SQL expression: whether events are missing from the log because they were pruned or deleted.
macro_rules! has_lost_events {
    () => {
        "EXISTS (SELECT 1 FROM audit_checkpoints)
         OR (SELECT count(*) FROM audit_logs) <> (SELECT coalesce(max(sequence), -1) FROM audit_head)"
    };
}
pub(super) use has_lost_events;

pub(super) const CHAIN: &str = "SELECT chain FROM audit_head WHERE id = 1";

pub(super) const SET_CHAIN: &str = "UPDATE audit_head SET chain = $1 WHERE id = 1";

pub(super) const HEAD: &str = "SELECT sequence, time, mac, key_kid FROM audit_head WHERE id = 1";

pub(super) const ADVANCE_HEAD: &str = "
    UPDATE audit_head SET sequence = $1, time = $2, mac = $3, key_kid = $4 WHERE id = 1";

pub(super) const CHECKPOINT: &str = "
    SELECT sequence, mac, time, removed, key_kid, code FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1";

pub(super) const INSERT_CHECKPOINT: &str = "
    INSERT INTO audit_checkpoints (sequence, mac, time, removed, key_kid, code) VALUES ($1, $2, $3, $4, $5, $6)";

/// The oldest event, the oldest event that is too new to be removed, and the head.
pub(super) const PRUNABLE: &str = "
    SELECT (SELECT min(sequence) FROM audit_logs),
           (SELECT sequence FROM audit_logs WHERE time >= $1 ORDER BY sequence LIMIT 1),
           (SELECT sequence FROM audit_head WHERE id = 1)";

pub(super) const FIRST: &str = "SELECT min(sequence) FROM audit_logs";

pub(super) const CODE_OF: &str = "SELECT mac FROM audit_logs WHERE sequence = $1";

pub(super) const PRUNE: &str = "DELETE FROM audit_logs WHERE sequence <= $1";

pub(super) const SEQUENCE_OF_OPERATION: &str = "
    SELECT sequence FROM audit_logs WHERE operation_id = $1 AND event = $2";

pub(super) const OPEN_OPERATIONS: &str = "
    SELECT sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id
    FROM audit_logs s
    WHERE s.event = $1
      AND s.operation_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM audit_logs e WHERE e.operation_id = s.operation_id AND e.event = $2)
    ORDER BY s.sequence LIMIT $3";

impl AuditHead {
    /// The position of each of `events` after this head, and the head after them.
    pub(super) fn places(self, key: &ChainKey, events: &[&NewEvent]) -> (Vec<Self>, Self) {
        let mut head = self;
        let mut places = Vec::with_capacity(events.len());
        for event in events {
            head = head.next(key, event);
            places.push(head.clone());
        }
        (places, head)
    }

    /// The head after `event`; it has that event's position, key version and MAC.
    fn next(&self, key: &ChainKey, event: &NewEvent) -> Self {
        let sequence = self.sequence + 1;
        let previous = self.mac.as_deref().unwrap_or(&START);
        let mac = key.event_code(previous, sequence, event);
        let kid = key.kid().to_string();
        Self { sequence, time: Some(event.time), mac: Some(mac.to_vec()), key_kid: Some(kid) }
    }
}

impl CheckpointRow {
    /// A checkpoint at the event `sequence`; an event from before the chain began has no MAC.
    pub(crate) fn new(key: &ChainKey, sequence: i64, mac: Option<Vec<u8>>, time: i64, removed: i64) -> Self {
        let mac = mac.unwrap_or_else(|| START.to_vec());
        let code = key.checkpoint_code(sequence, &mac, time, removed).to_vec();
        Self { sequence, mac, time, removed, key_kid: key.kid().to_string(), code }
    }
}

impl Prunable {
    /// Evaluates the result of [`PRUNABLE`].
    pub(super) fn new((first, stop, head): (Option<i64>, Option<i64>, i64), limit: i64) -> Option<Self> {
        let first = first?;
        let last = (stop.unwrap_or(head).min(head) - 1).min(first + limit - 1);
        (last >= first).then_some(Self { first, last })
    }
}

/// The log could not be written, so neither could the change.
pub(super) fn unwritable(source: Error) -> Error {
    Error::Audit(Box::new(source))
}

/// Nothing is written without a chain key.
pub(super) fn no_chain() -> Error {
    Error::Database(sqlx::Error::Configuration("the audit log's key is not set".into()))
}

impl CloseFilter {
    /// Whether the started operation is to be closed.
    pub(super) fn matches(&self, started: &AuditRow) -> bool {
        started.time < self.started_before
            || (!self.instance.is_empty() && instance_of(started) == self.instance)
    }

    /// The event that closes `started`.
    pub(super) fn closing(&self, started: &AuditRow, now: i64) -> NewEvent {
        NewEvent {
            time: now,
            actor: self.closer.clone(),
            via: self.closer.clone(),
            event: self.ended_event.clone(),
            target: started.target.clone(),
            metadata: self.closing_metadata(started),
            trace_id: started.trace_id.clone(),
            outcome: Outcome::Unknown.as_str().into(),
            operation_id: started.operation_id.clone(),
        }
    }

    /// The start's metadata, without the details of its actor's call.
    fn closing_metadata(&self, started: &AuditRow) -> String {
        let mut metadata = metadata_of(started);
        metadata.remove("delegation");
        metadata.insert("actor_name".to_owned(), self.closer_name.clone().into());
        metadata.insert("started_by".to_owned(), started.actor.clone().into());
        Value::Object(metadata).to_string()
    }
}

fn instance_of(started: &AuditRow) -> String {
    let instance = metadata_of(started).remove("instance");
    instance.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn metadata_of(started: &AuditRow) -> Map<String, Value> {
    serde_json::from_str(&started.metadata).unwrap_or_default()
}

impl EventFilter {
    /// The lower and upper bound of the event names in a family; `None` for an exact name.
    pub(super) fn family(&self) -> Option<(String, String)> {
        let prefix = self.event.strip_suffix('*')?;
        Some((prefix.to_owned(), above(prefix)))
    }
}

/// A text that sorts after every text with the prefix `prefix`, in byte order.
pub(super) fn above(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
