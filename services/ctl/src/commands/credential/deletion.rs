//! `strongroom credential delete`.

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{Credential, DeleteCredentialRequest, GetCredentialRequest};

use super::resolve::resolve;
use super::shown::details;
use crate::cli::Confirmation;
use crate::client::{Connection, unary};
use crate::commands::confirmation;
use crate::output::{Format, key_values};

pub(super) async fn run(vault: &Connection, named: &str, given: &Confirmation, format: Format) -> Result<()> {
    let asks = confirmation::is_needed(given)?;
    let id = resolve(vault, named).await?;
    // The answer applies to the displayed state: a credential that changes in between is not deleted.
    let etag = if asks {
        let request = unary(GetCredentialRequest { id: id.clone() });
        let answer = vault.answer(vault.credentials().get_credential(request)).await?;
        let credential = answer.credential.context("the vault answered without a credential")?;
        confirmation::ask(&loss(&credential), "delete it")?;
        credential.etag
    } else {
        String::new()
    };
    let request = DeleteCredentialRequest { id: id.clone(), etag, ..Default::default() };
    let answer = vault.answer(vault.credentials().delete_credential(unary(request))).await?;
    let released = answer.released_references.to_string();
    format.message("strongroom.vault.v1.DeleteCredentialResponse", &answer, || {
        key_values([("deleted", id), ("released references", released)])
    })
}

fn loss(credential: &Credential) -> String {
    format!(
        "{}the secret is lost, except in backups; consumers of the credential can no longer resolve it",
        details(credential)
    )
}
