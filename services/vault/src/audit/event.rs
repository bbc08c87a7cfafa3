//! Builds events: caller, time and metadata are set in one place, so no event lacks its actor.

use serde_json::{Map, Value};
use strongroom_runtime::Caller;
use uuid::Uuid;

use crate::store::{CHANGE, NewEvent, Outcome};

/// An event under construction.
pub(crate) struct Event {
    row: NewEvent,
    metadata: Map<String, Value>,
}

impl Event {
    /// An event caused by a caller at `time`, in microseconds: a success unless [`Event::outcome`] says otherwise.
    pub(crate) fn by(caller: &Caller, time: i64, event: &str, target: &str) -> Self {
        let actor = caller.principal.id.clone();
        let (via, trace_id) = (caller.via.clone(), caller.trace_id.clone());
        let row = NewEvent { actor, via, trace_id, ..new_row(time, event, target) };
        let name = Value::from(caller.principal.name.clone());
        Self { row, metadata: Map::from_iter([("actor_name".to_owned(), name)]) }
    }

    /// An event caused by the vault itself.
    pub(crate) fn by_system(time: i64, event: &str, target: &str) -> Self {
        let row = NewEvent { actor: "system".into(), ..new_row(time, event, target) };
        Self { row, metadata: Map::new() }
    }

    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.row.outcome = outcome.as_str().to_owned();
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }

    /// Marks a change of rows that grant access. The rows and the event carry the same id, so an old row that is put
    /// back is detected.
    pub(crate) fn of_change(self) -> Self {
        self.with(CHANGE, Uuid::now_v7().to_string())
    }

    pub(crate) fn finish(self) -> NewEvent {
        NewEvent { metadata: Value::Object(self.metadata).to_string(), ..self.row }
    }
}

fn new_row(time: i64, event: &str, target: &str) -> NewEvent {
    NewEvent {
        time,
        event: event.to_owned(),
        target: target.to_owned(),
        outcome: Outcome::Success.as_str().to_owned(),
        ..NewEvent::default()
    }
}
