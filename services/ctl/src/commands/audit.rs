//! `strongroom audit`.

mod head;
mod verification;
mod watch;

use anyhow::Result;
use strongroom_api::vault::v1::{
    AuditEvent, GetAuditHeadRequest, ListAuditEventsRequest, PruneAuditLogRequest,
};
use strongroom_runtime::{Clock as _, SystemClock};

use crate::cli::{AuditCommand, ListEvents, PruneEvents};
use crate::client::{self, Connection, PAGE_SIZE, long, unary};
use crate::output::{Format, Table, key_values};
use crate::time::{Since, shown, to_wire};

const EVENT: &str = "strongroom.vault.v1.AuditEvent";

pub(super) async fn run(command: AuditCommand, format: Format) -> Result<()> {
    let vault = client::vault()?;
    match command {
        AuditCommand::List(list) => {
            let events = list_events(&vault, list).await?;
            format.list(EVENT, &events, || table(&events))
        }
        AuditCommand::Head => show_head(&vault, format).await,
        AuditCommand::Watch(watch) => watch::run(&vault, watch, format).await,
        AuditCommand::Verify { head, keys } => {
            verification::run(&vault, head.as_deref(), &keys, format).await
        }
        AuditCommand::Prune(prune) => prune_events(&vault, prune, format).await,
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

async fn show_head(vault: &Connection, format: Format) -> Result<()> {
    let answer = vault.answer(vault.audit().get_audit_head(unary(GetAuditHeadRequest {}))).await?;
    format.message("strongroom.vault.v1.GetAuditHeadResponse", &answer, || {
        key_values([
            ("sequence", answer.sequence.to_string()),
            ("time", shown(answer.time.as_ref())),
            ("mac", answer.mac.clone()),
        ])
    })
}

async fn prune_events(vault: &Connection, prune: PruneEvents, format: Format) -> Result<()> {
    let oldest_kept = prune.before.map(Since::At).or(prune.older_than.map(Since::Ago));
    let before = oldest_kept.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    let request = long(PruneAuditLogRequest { before: before.map(to_wire) });
    let answer = vault.answer(vault.audit().prune_audit_log(request)).await?;
    format.message("strongroom.vault.v1.PruneAuditLogResponse", &answer, || {
        key_values([
            ("removed", format!("{} events", answer.removed)),
            ("oldest event", answer.first_sequence.to_string()),
        ])
    })
}

fn table(events: &[AuditEvent]) -> Table {
    let mut table = Table::new(&["#", "TIME", "EVENT", "TARGET", "ACTOR", "VIA", "OUTCOME", "METADATA"]);
    for event in events {
        table.row(cells(event));
    }
    table
}

fn cells(event: &AuditEvent) -> [String; 8] {
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
