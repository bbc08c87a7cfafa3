//! An audit event for people: a row of a table, or a line of a watch.

use strongroom_api::vault::v1::AuditEvent;

use crate::output::Table;
use crate::time::shown;

/// Its protobuf name.
pub(super) const EVENT: &str = "strongroom.vault.v1.AuditEvent";

pub(super) fn table(events: &[AuditEvent]) -> Table {
    let mut table = Table::new(&["#", "TIME", "EVENT", "TARGET", "ACTOR", "VIA", "OUTCOME", "METADATA"]);
    for event in events {
        table.row(cells(event));
    }
    table
}

pub(super) fn cells(event: &AuditEvent) -> [String; 8] {
    [
        event.sequence.to_string(),
        shown(event.time.as_ref()),
        event.event.clone(),
        event.target.clone(),
        event.actor.clone(),
        event.via.clone(),
        outcome(event),
        metadata(event),
    ]
}

/// The outcome, in one word.
pub(in crate::commands) fn outcome(event: &AuditEvent) -> String {
    let name = event.outcome().as_str_name();
    name.trim_start_matches("AUDIT_OUTCOME_").to_lowercase()
}

fn metadata(event: &AuditEvent) -> String {
    let mut facts: Vec<String> = event.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
    facts.sort();
    facts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_in_a_table() {
        let event = AuditEvent {
            sequence: 7,
            event: "credential.revealed".into(),
            outcome: 2,
            metadata: [("b".to_owned(), "1".to_owned()), ("a".to_owned(), "\"x\"".to_owned())].into(),
            ..Default::default()
        };
        let table = table(&[event]).to_string();
        let row = table.lines().nth(1).unwrap_or_default();
        assert!(row.starts_with("7  ") && row.ends_with("denied   a=\"x\" b=1"), "{table}");
    }
}
