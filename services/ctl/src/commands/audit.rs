//! `strongroom audit`.

mod event;
mod head;
mod verification;
mod watch;

use anyhow::Result;
use strongroom_api::vault::v1::{
    AuditEvent, GetAuditHeadRequest, ListAuditEventsRequest, PruneAuditLogRequest,
};
use strongroom_runtime::{Clock as _, SystemClock};

pub(super) use event::outcome;

use super::confirmation;
use crate::cli::{AuditCommand, ListEvents, PruneEvents};
use crate::client::{self, Connection, PAGE_SIZE, long, unary};
use crate::output::{Format, key_values};
use crate::time::{Since, shown, to_wire};
use event::{EVENT, table};

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
            ("chain", answer.chain.clone()),
        ])
    })
}

async fn prune_events(vault: &Connection, prune: PruneEvents, format: Format) -> Result<()> {
    let asks = confirmation::is_needed(&prune.confirmation)?;
    let oldest_kept = prune.before.or(prune.older_than.map(Since::Ago));
    let before = oldest_kept.map(|since| since.resolve(SystemClock.now_micros())).transpose()?;
    if let Some(before) = before.filter(|_| asks) {
        let loss =
            format!("every event before {before} is removed; the rest still verifies; there is no undo");
        confirmation::ask(&loss, "remove them")?;
    }
    let request = long(PruneAuditLogRequest { before: before.map(to_wire) });
    let answer = vault.answer(vault.audit().prune_audit_log(request)).await?;
    format.message("strongroom.vault.v1.PruneAuditLogResponse", &answer, || {
        key_values([
            ("removed", format!("{} events", answer.removed)),
            ("oldest event", answer.first_sequence.to_string()),
        ])
    })
}
