//! `strongroom audit`.

use anyhow::Result;
use strongroom_api::vault::v1::{AuditEvent, GetAuditHeadRequest, ListAuditEventsRequest};
use strongroom_runtime::{Clock as _, SystemClock};

use crate::cli::{AuditCommand, ListEvents};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table, key_values};
use crate::time::{shown, to_wire};

pub(super) async fn run(command: AuditCommand, format: Format) -> Result<()> {
    let vault = client::vault()?;
    match command {
        AuditCommand::List(list) => {
            let events = list_events(&vault, list).await?;
            format.list("strongroom.vault.v1.AuditEvent", &events, || table(&events))
        }
        AuditCommand::Head => head(&vault, format).await,
    }
}

async fn list_events(vault: &Connection, list: ListEvents) -> Result<Vec<AuditEvent>> {
    let since = list.since.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    let request = ListAuditEventsRequest {
        event: list.event.unwrap_or_default(),
        actor: list.actor.unwrap_or_default(),
        target: list.target.unwrap_or_default(),
        since: since.map(to_wire),
        ..Default::default()
    };
    newest(vault, request, list.limit.unwrap_or(u64::MAX)).await
}

/// The newest events that `request` selects, at most `limit`.
pub(super) async fn newest(
    vault: &Connection,
    mut request: ListAuditEventsRequest,
    limit: u64,
) -> Result<Vec<AuditEvent>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    request.page_size = i32::try_from(limit).unwrap_or(PAGE_SIZE).min(PAGE_SIZE);
    let mut events = Vec::new();
    loop {
        let page = vault.answer(vault.audit().list_audit_events(unary(request.clone()))).await?;
        events.extend(page.events);
        if events.len() >= limit || page.next_page_token.is_empty() {
            events.truncate(limit);
            return Ok(events);
        }
        request.page_token = page.next_page_token;
    }
}

async fn head(vault: &Connection, format: Format) -> Result<()> {
    let answer = vault.answer(vault.audit().get_audit_head(unary(GetAuditHeadRequest {}))).await?;
    format.message("strongroom.vault.v1.GetAuditHeadResponse", &answer, || {
        key_values([
            ("sequence", answer.sequence.to_string()),
            ("time", shown(answer.time.as_ref())),
            ("mac", answer.mac.clone()),
        ])
    })
}

fn table(events: &[AuditEvent]) -> Table {
    let mut table = Table::new(&["#", "TIME", "EVENT", "TARGET", "ACTOR", "VIA", "OUTCOME", "METADATA"]);
    for event in events {
        table.row([
            &event.sequence.to_string(),
            &shown(event.time.as_ref()),
            &event.event,
            &event.target,
            &event.actor,
            &event.via,
            &outcome(event),
            &metadata(event),
        ]);
    }
    table
}

/// How it ended, in one word.
pub(super) fn outcome(event: &AuditEvent) -> String {
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
