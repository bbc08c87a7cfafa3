//! Checks rows that grant access: whether their MACs are right, and whether each is at its last change. An old row
//! that was put back has a right MAC, but the log has a later change of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use super::finding::{Problem, Reason};
use crate::store::restore::record::ROWS_EVENT;
use crate::store::{CHANGE, Examined, NewEvent};

/// Changes that the log records. Names are hashed: a log of many years has millions of them.
#[derive(Default)]
pub(super) struct Changes {
    /// Sequence of each change.
    sequences: HashMap<u64, i64>,
    /// Sequence of the last change of each row.
    last: HashMap<u64, i64>,
    /// The state that the last event about the key version alone set, and the event's sequence.
    states: HashMap<String, (&'static str, i64)>,
}

impl Changes {
    /// Remembers the changes of an event.
    pub(super) fn event(&mut self, sequence: i64, event: &NewEvent) {
        if let Some(state) = state_after(&event.event).filter(|_| event.outcome == "success") {
            self.states.insert(event.target.clone(), (state, sequence));
        }
        // Most events change no row, and parsing JSON costs more than searching for the word.
        if !event.metadata.contains(CHANGE) {
            return;
        }
        let Ok(metadata) = serde_json::from_str::<Value>(&event.metadata) else { return };
        let Some(change) = metadata[CHANGE].as_str() else { return };
        self.sequences.insert(hashed(&[change]), sequence);
        if event.event == ROWS_EVENT {
            return self.restored(sequence, &metadata);
        }
        let is_gone = matches!(event.event.as_str(), "credential.deleted" | "reference.released");
        for (index, (table, row)) in changed(event, &metadata).into_iter().enumerate() {
            let row = hashed(&[table, &row]);
            // The first row is the event's target.
            if is_gone && index == 0 {
                self.last.remove(&row);
            } else {
                self.last.insert(row, sequence);
            }
        }
    }

    /// Rows that a restore created, changed and deleted.
    fn restored(&mut self, sequence: i64, metadata: &Value) {
        let table = metadata["table"].as_str().unwrap_or_default();
        let rows = |list: &str| {
            let names = metadata[list].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(|row| hashed(&[table, row])).collect::<Vec<_>>()
        };
        for row in rows("created").into_iter().chain(rows("changed")) {
            self.last.insert(row, sequence);
        }
        for row in rows("deleted") {
            self.last.remove(&row);
        }
    }

    /// Rows in the log that were neither deleted nor [checked](Self::check).
    pub(super) fn missing(&self) -> Vec<Problem> {
        let mut events: Vec<i64> = self.last.values().copied().collect();
        events.sort_unstable();
        events.dedup();
        let gone = |sequence| Problem {
            sequence,
            reason: Reason::Missing,
            message: format!("the row that was last changed by the event {sequence} is gone"),
        };
        events.into_iter().map(gone).collect()
    }

    /// The problem of a row, if any. `is_whole` means that no event was pruned.
    pub(super) fn check(&mut self, row: &Examined, is_whole: bool) -> Option<Problem> {
        let Examined { table, row, change_id, is_intact } = row;
        let last = self.last.remove(&hashed(&[table, row]));
        let problem = |reason, message| Some(Problem { sequence: 0, reason, message });
        if !is_intact {
            return problem(
                Reason::Tampered,
                format!("{table} {row} was changed outside the vault, and grants nothing"),
            );
        }
        if *table == "key_versions" {
            let (state, event) = self.states.get(row)?;
            return if state == change_id {
                None
            } else {
                let message =
                    format!("the key version {row} is {change_id}, but the event {event} left it {state}");
                problem(Reason::Replayed, message)
            };
        }
        if change_id.is_empty() {
            return None;
        }
        match (self.sequences.get(&hashed(&[change_id])), last) {
            (Some(own), Some(last)) if *own < last => problem(
                Reason::Replayed,
                format!(
                    "{table} {row} is as it was after the event {own}, but the event {last} changed it: an older state was put back"
                ),
            ),
            (None, Some(last)) => problem(
                Reason::Replayed,
                format!("{table} {row} is not as the event {last} left it: an older state was put back"),
            ),
            (None, None) if is_whole => {
                problem(Reason::Replayed, format!("{table} {row} names a last change that is not in the log"))
            }
            _ => None,
        }
    }
}

/// The state of a key version after an event about it alone.
fn state_after(event: &str) -> Option<&'static str> {
    match event {
        "key.version_disabled" | "key.version_unscheduled" => Some("disabled"),
        "key.version_enabled" => Some("decrypt-only"),
        "key.version_scheduled" => Some("scheduled"),
        "key.version_destroyed" => Some("destroyed"),
        _ => None,
    }
}

/// The rows that an event changed, by table and name.
fn changed(event: &NewEvent, metadata: &Value) -> Vec<(&'static str, String)> {
    let family = event.event.split('.').next().unwrap_or_default();
    let own = match family {
        "token" => Some("api_tokens"),
        "credential" => Some("credentials"),
        "reference" if event.event != "reference.reassigned" => Some("credential_references"),
        _ => None,
    };
    let mut rows: Vec<_> = own.map(|table| (table, event.target.clone())).into_iter().collect();
    let requests = if family == "person" { "person_requests" } else { "key_requests" };
    let text = |name: &str| metadata[name].as_str().unwrap_or_default();
    for (table, name) in [("people", text("person_id")), (requests, text("request_id"))] {
        if !name.is_empty() {
            rows.push((table, name.to_owned()));
        }
    }
    let references = metadata["changed_references"].as_array().into_iter().flatten();
    rows.extend(references.filter_map(Value::as_str).map(|name| ("credential_references", name.to_owned())));
    rows
}

fn hashed(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
