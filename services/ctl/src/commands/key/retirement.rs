//! Retiring key versions, undoing that, and approval by another person.

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, DestroyKeyVersionRequest, DisableKeyVersionRequest, EnableKeyVersionRequest,
    KeyRequest, ListKeyRequestsRequest, UndoDestroyKeyVersionRequest,
};

use super::version::print_one;
use crate::cli::Confirmation;
use crate::client::{Connection, long, unary, vault};
use crate::commands::confirmation;
use crate::output::{Format, Table, key_values, message, printable};
use crate::time::{length_to_wire, shown};

const KEY_REQUEST: &str = "strongroom.vault.v1.KeyRequest";

/// Before it answers, the vault counts the values and archives that need the version.
pub(super) async fn disable(vault: &Connection, kid: String, format: Format) -> Result<()> {
    let request = long(DisableKeyVersionRequest { kid });
    print_one(format, vault.answer(vault.keys().disable_key_version(request)).await?.version)
}

pub(super) async fn enable(vault: &Connection, kid: String, format: Format) -> Result<()> {
    let request = unary(EnableKeyVersionRequest { kid });
    print_one(format, vault.answer(vault.keys().enable_key_version(request)).await?.version)
}

/// Schedules the destruction, guarded like [`disable`]; it can be undone for the time `after`.
pub(super) async fn destroy(
    kid: String,
    after: Option<SignedDuration>,
    given: &Confirmation,
    format: Format,
) -> Result<()> {
    if confirmation::is_needed(given)? {
        let loss = format!(
            "key version: {}\nonce it is destroyed, nobody can open the values that it sealed; `strongroom \
             key undo` works until then",
            printable(&kid)
        );
        confirmation::ask(&loss, "schedule its destruction")?;
    }
    let vault = vault()?;
    let undo = format!("until then, `strongroom key undo {}` cancels it", printable(&kid));
    let request = long(DestroyKeyVersionRequest { kid, after: after.map(length_to_wire) });
    print_one(format, vault.answer(vault.keys().destroy_key_version(request)).await?.version)?;
    message(&undo);
    Ok(())
}

pub(super) async fn undo(vault: &Connection, kid: String, format: Format) -> Result<()> {
    let request = unary(UndoDestroyKeyVersionRequest { kid });
    print_one(format, vault.answer(vault.keys().undo_destroy_key_version(request)).await?.version)
}

pub(super) async fn approve(vault: &Connection, id: String, format: Format) -> Result<()> {
    let request = unary(ApproveKeyRequestRequest { id });
    let answer = vault.answer(vault.keys().approve_key_request(request)).await?;
    let approved = answer.request.context("the vault answered without a request")?;
    format.message(KEY_REQUEST, &approved, || details(&approved))?;
    message(&format!(
        "{} may now repeat `strongroom key {} {}`",
        printable(&approved.requester),
        printable(&approved.action),
        printable(&approved.kid)
    ));
    Ok(())
}

pub(super) async fn list_requests(vault: &Connection, format: Format) -> Result<()> {
    let request = unary(ListKeyRequestsRequest {});
    let requests = vault.answer(vault.keys().list_key_requests(request)).await?.requests;
    format.list(KEY_REQUEST, &requests, || table(&requests))
}

fn details(request: &KeyRequest) -> String {
    key_values([
        ("request", request.id.clone()),
        ("action", request.action.clone()),
        ("kid", request.kid.clone()),
        ("requester", request.requester.clone()),
        ("approver", request.approver.clone()),
        ("created", shown(request.create_time.as_ref())),
        ("lapses", shown(request.expire_time.as_ref())),
    ])
}

fn table(requests: &[KeyRequest]) -> Table {
    let mut table = Table::new(&["REQUEST", "ACTION", "KID", "REQUESTER", "APPROVER", "CREATED", "LAPSES"]);
    for request in requests {
        table.row([
            &request.id,
            &request.action,
            &request.kid,
            &request.requester,
            &request.approver,
            &shown(request.create_time.as_ref()),
            &shown(request.expire_time.as_ref()),
        ]);
    }
    table
}
