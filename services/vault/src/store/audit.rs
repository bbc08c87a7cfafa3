//! Rows of the audit log.

use async_trait::async_trait;
use sqlx::FromRow;
use strongroom_store::Result;

/// An event before it has its place in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NewEvent {
    /// When it happened.
    pub time: i64,
    /// Who asked.
    pub actor: String,
    /// Through which service.
    pub via: String,
    /// What happened.
    pub event: String,
    /// To what.
    pub target: String,
    /// A JSON object.
    pub metadata: String,
    /// The call's trace id, or empty.
    pub trace_id: String,
    /// `success`, `denied`, `failed`, `aborted` or `unknown`.
    pub outcome: String,
    /// Joins the start and the end of a long operation.
    pub operation_id: Option<String>,
}

/// An event that must be durable before something leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// What is about to leave.
    pub(crate) event: NewEvent,
    /// The credential whose last use this is, if one is used.
    pub(crate) credential_id: Option<String>,
}

/// The `audit_logs` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditRow {
    /// Without gaps, from 1.
    pub sequence: i64,
    /// When it happened.
    pub time: i64,
    /// Who asked.
    pub actor: String,
    /// Through which service.
    pub via: String,
    /// What happened.
    pub event: String,
    /// To what.
    pub target: String,
    /// A JSON object.
    pub metadata: String,
    /// The call's trace id, or empty.
    pub trace_id: String,
    /// How it ended.
    pub outcome: String,
    /// Joins the start and the end of a long operation.
    pub operation_id: Option<String>,
}

/// The newest event's place.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct AuditHead {
    /// 0 while the log is empty.
    pub sequence: i64,
    /// `None` while the log is empty.
    pub time: Option<i64>,
    /// The chain's code; `None` while events are not chained.
    pub mac: Option<Vec<u8>>,
}

/// Which events to list; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// Exact, or a family: `credential.*`. Empty matches all.
    pub event: String,
    /// Empty matches all.
    pub actor: String,
    /// Empty matches all.
    pub target: String,
    /// At or after.
    pub since: Option<i64>,
    /// Before.
    pub until: Option<i64>,
}

/// Which operations to close.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CloseFilter {
    /// The event that opens an operation.
    pub started_event: String,
    /// The event that closes it.
    pub ended_event: String,
    /// Operations of this process instance; empty names none.
    pub instance: String,
    /// Operations that started before this time, whoever ran them.
    pub started_before: i64,
    /// Who closes, for `via`.
    pub via: String,
}

/// How many open operations one transaction closes.
/// The audit log in the database.
#[async_trait]
pub(crate) trait AuditStore: Send + Sync {
    /// Appends one event; its sequence. An event of the same name and operation id is appended once: the
    /// earlier one's sequence is then returned.
    async fn append_event(&self, event: &NewEvent) -> Result<i64>;
    /// Appends events that let something out, all in one transaction, and marks what they used.
    async fn append_uses(&self, uses: &[Use]) -> Result<()>;
    /// Events with a sequence below `before`, newest first.
    async fn events(&self, filter: &EventFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>>;
    /// The newest event's place.
    async fn audit_head(&self) -> Result<AuditHead>;
    /// Closes operations that were started and never ended; how many.
    async fn close_operations(&self, filter: &CloseFilter, now: i64) -> Result<i64>;
}

pub(super) const CLOSE_BATCH: i64 = 500;

pub(super) const SELECT: &str = "
    SELECT sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id
    FROM audit_logs";

pub(super) const ADVANCE_HEAD: &str = "
    UPDATE audit_head SET sequence = sequence + 1, time = $1 WHERE id = 1 RETURNING sequence";

pub(super) const INSERT: &str = "
    INSERT INTO audit_logs (sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

pub(super) const HEAD: &str = "SELECT sequence, time, mac FROM audit_head WHERE id = 1";

pub(super) const SEQUENCE_OF_OPERATION: &str = "
    SELECT sequence FROM audit_logs WHERE operation_id = $1 AND event = $2";

pub(super) const OPEN_OPERATIONS: &str = "
    SELECT sequence, time, actor, via, event, target, metadata, trace_id, outcome, operation_id
    FROM audit_logs s
    WHERE s.event = $1
      AND s.operation_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM audit_logs e WHERE e.operation_id = s.operation_id AND e.event = $2)
    ORDER BY s.sequence LIMIT $3";

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
            actor: started.actor.clone(),
            via: self.via.clone(),
            event: self.ended_event.clone(),
            target: started.target.clone(),
            metadata: started.metadata.clone(),
            trace_id: started.trace_id.clone(),
            outcome: "unknown".into(),
            operation_id: started.operation_id.clone(),
        }
    }
}

fn instance_of(started: &AuditRow) -> String {
    let metadata: serde_json::Value = serde_json::from_str(&started.metadata).unwrap_or_default();
    metadata["instance"].as_str().unwrap_or_default().to_owned()
}

impl EventFilter {
    /// The first and the last event name of a family; `None` for an exact name.
    pub(super) fn family(&self) -> Option<(String, String)> {
        let prefix = self.event.strip_suffix('*')?;
        Some((prefix.to_owned(), above(prefix)))
    }
}

/// A text above every text that begins with `prefix`, in byte order.
pub(super) fn above(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
