//! An audit event before it has its position in the log.

use serde_json::Value;
use sqlx_macros::FromRow;
use strongroom_store::{Error, Result};

/// Field of an event's metadata: the id of the change to rows that grant access.
pub(crate) const CHANGE: &str = "change";

/// An event before it has its position in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(crate) struct NewEvent {
    /// Time of the event.
    pub time: i64,
    /// The actor.
    pub actor: String,
    /// The service that acted on the actor's behalf, or empty.
    pub via: String,
    /// Name of the event.
    pub event: String,
    /// Target of the event.
    pub target: String,
    /// A JSON object.
    pub metadata: String,
    /// The call's trace id, or empty.
    pub trace_id: String,
    /// The text of an [`Outcome`]. Rows keep the stored text, because a verification also reads rows that an intruder
    /// wrote.
    pub outcome: String,
    /// Joins the start and the end of a long operation.
    pub operation_id: Option<String>,
}

impl NewEvent {
    /// The id of the change to rows that grant access, from `Event::of_change`.
    pub(super) fn change_id(&self) -> Result<String> {
        let metadata: Value = serde_json::from_str(&self.metadata).unwrap_or_default();
        let change = metadata.get(CHANGE).and_then(Value::as_str).map(ToOwned::to_owned);
        change.ok_or(Error::Inconsistent {
            subject: "ids of the change in its event",
            expected: 1,
            affected: 0,
        })
    }
}

/// Outcome of an event's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Denied,
    Failed,
    /// The client left before the operation ended.
    Aborted,
    /// The process that ran the operation stopped before it ended.
    Unknown,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Success, Self::Denied, Self::Failed, Self::Aborted, Self::Unknown];

    /// The stored text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome that is stored as `text`; `None` if there is none.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}
