//! `strongroom reference`.

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{
    BindReferenceRequest, ListReferencesRequest, ReassignReferencesRequest, Reference,
    ReleaseReferenceRequest, ResolveReferenceRequest, SkippedCandidate,
};

use super::credential::{print_secret, resolve};
use crate::cli::{BindReference, Consumer, ReferenceCommand};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table, key_values, message, printable};
use crate::time::shown;

const REFERENCE: &str = "strongroom.vault.v1.Reference";

pub(super) async fn run(command: ReferenceCommand, format: Format) -> Result<()> {
    let vault = client::vault()?;
    match command {
        ReferenceCommand::Bind(bind) => bind_reference(&vault, bind, format).await,
        ReferenceCommand::Release(consumer) => release(&vault, consumer, format).await,
        ReferenceCommand::Resolve(consumer) => resolve_reference(&vault, consumer, format).await,
        ReferenceCommand::Reassign { from, to } => reassign(&vault, &from, &to, format).await,
        ReferenceCommand::List { credential } => {
            let references = list(&vault, credential).await?;
            format.list(REFERENCE, &references, || table(&references))
        }
    }
}

async fn bind_reference(vault: &Connection, bind: BindReference, format: Format) -> Result<()> {
    let credential_id = match bind.id {
        Some(given) => resolve(vault, &given).await?,
        None => String::new(),
    };
    let mut fallback_credential_ids = Vec::new();
    for fallback in bind.fallbacks {
        fallback_credential_ids.push(resolve(vault, &fallback).await?);
    }
    let request = BindReferenceRequest {
        kind: bind.consumer.kind,
        consumer: bind.consumer.consumer,
        credential_id,
        needs_provider: bind.needs_provider.unwrap_or_default(),
        via: bind.via.unwrap_or_default(),
        fallback_credential_ids,
    };
    let answer = vault.answer(vault.references().bind_reference(unary(request))).await?;
    let reference = answer.reference.context("the vault answered without a reference")?;
    format.message(REFERENCE, &reference, || details(&reference))
}

async fn release(vault: &Connection, consumer: Consumer, format: Format) -> Result<()> {
    let Consumer { kind, consumer } = consumer;
    let text = key_values([("released", format!("{kind} {consumer}"))]);
    let request = ReleaseReferenceRequest { kind, consumer };
    let answer = vault.answer(vault.references().release_reference(unary(request))).await?;
    format.message("strongroom.vault.v1.ReleaseReferenceResponse", &answer, || text)
}

async fn resolve_reference(vault: &Connection, consumer: Consumer, format: Format) -> Result<()> {
    let Consumer { kind, consumer } = consumer;
    let request = ResolveReferenceRequest { kind, consumer };
    let answer = vault.answer(vault.references().resolve_reference(unary(request))).await?;
    if format == Format::Json {
        return format.message("strongroom.vault.v1.ResolveReferenceResponse", &answer, String::new);
    }
    for candidate in &answer.skipped {
        message(&passed_over(candidate));
    }
    print_secret(&answer.secret)
}

fn passed_over(candidate: &SkippedCandidate) -> String {
    let reason = printable(&candidate.reason);
    match candidate.credential_id.as_str() {
        "" => format!("skipped: bound to no credential [{reason}]"),
        id => format!("skipped: {} [{reason}]", printable(id)),
    }
}

async fn reassign(vault: &Connection, from: &str, to: &str, format: Format) -> Result<()> {
    let from_credential_id = resolve(vault, from).await?;
    let to_credential_id = resolve(vault, to).await?;
    let request = ReassignReferencesRequest { from_credential_id, to_credential_id };
    let answer = vault.answer(vault.references().reassign_references(unary(request))).await?;
    format.message("strongroom.vault.v1.ReassignReferencesResponse", &answer, || {
        key_values([("reassigned", answer.reassigned.to_string())])
    })
}

async fn list(vault: &Connection, credential: Option<String>) -> Result<Vec<Reference>> {
    let credential_id = match credential {
        Some(given) => resolve(vault, &given).await?,
        None => String::new(),
    };
    let mut request = ListReferencesRequest { credential_id, page_size: PAGE_SIZE, ..Default::default() };
    let mut references = Vec::new();
    loop {
        let page = vault.answer(vault.references().list_references(unary(request.clone()))).await?;
        references.extend(page.references);
        if page.next_page_token.is_empty() {
            return Ok(references);
        }
        request.page_token = page.next_page_token;
    }
}

fn details(reference: &Reference) -> String {
    key_values([
        ("kind", reference.kind.clone()),
        ("consumer", reference.consumer.clone()),
        ("credential", reference.credential_id.clone()),
        ("via", reference.via.clone()),
        ("fallbacks", reference.fallback_credential_ids.join(", ")),
        ("needs provider", reference.needs_provider.clone()),
        ("created", shown(reference.create_time.as_ref())),
        ("updated", shown(reference.update_time.as_ref())),
    ])
}

fn table(references: &[Reference]) -> Table {
    let mut table = Table::new(&["KIND", "CONSUMER", "CREDENTIAL", "VIA", "FALLBACKS", "NEEDS PROVIDER"]);
    for reference in references {
        table.row([
            &reference.kind,
            &reference.consumer,
            &reference.credential_id,
            &reference.via,
            &reference.fallback_credential_ids.join(", "),
            &reference.needs_provider,
        ]);
    }
    table
}
