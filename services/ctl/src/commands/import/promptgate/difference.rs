//! Whether a credential of an earlier run still equals the row of the export.

use anyhow::Result;
use strongroom_api::vault::v1::{Credential, RevealCredentialRequest};
use strongroom_crypto::SecretBytes;
use strongroom_import::StoredCredential;
use tonic::Code;

use super::SECRET;
use crate::client::{Connection, unary};

/// How `known` differs from the export's row, and what to do about it; `None` if it does not.
pub(super) async fn of(
    vault: &Connection,
    known: &Credential,
    stored: &StoredCredential,
    secret: &SecretBytes,
    fingerprints: &[String],
) -> Result<Option<String>> {
    let mut differs = Vec::new();
    if known.display_name != stored.name {
        differs.push("name");
    }
    if known.provider != stored.provider {
        differs.push("provider");
    }
    // A credential that already differs is not revealed: it may belong to another gateway.
    let is_same = known.labels.get(SECRET).is_some_and(|label| fingerprints.contains(label));
    if !is_same && (!differs.is_empty() || !holds(vault, known, secret).await?) {
        differs.push("secret");
    }
    if differs.is_empty() {
        return Ok(None);
    }
    let remedy = if differs == ["secret"] {
        "rotate it to the export's secret, or keep it as it is"
    } else {
        "if the export is of another gateway, give that gateway an APP_URL of its own and export again; otherwise change \
         or delete the credential"
    };
    Ok(Some(format!(
        "credential {} was imported from this row, and its {} is different; {remedy}",
        known.id,
        differs.join(", ")
    )))
}

/// Whether the vault has this secret now: it may have been rotated there. A secret that may not be revealed counts as
/// different.
async fn holds(vault: &Connection, known: &Credential, secret: &SecretBytes) -> Result<bool> {
    let request = RevealCredentialRequest { id: known.id.clone(), previous: false };
    match vault.credentials().reveal_credential(unary(request)).await {
        Ok(answer) => Ok(SecretBytes::new(answer.into_inner().secret.to_vec()).expose() == secret.expose()),
        Err(status) => match status.code() {
            Code::PermissionDenied | Code::FailedPrecondition | Code::NotFound => Ok(false),
            _ => Err(vault.failed(&status).into()),
        },
    }
}
