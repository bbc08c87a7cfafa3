//! `strongroom credential update`.

use anyhow::Result;
use strongroom_api::vault::v1::{Credential, UpdateCredentialRequest};
use strongroom_runtime::{Clock as _, SystemClock};

use super::resolve::resolve;
use super::unique::{refuse_duplicate, warn_of_duplicate};
use crate::cli::UpdateCredential;
use crate::client::{Connection, unary};
use crate::time::{Expiry, to_wire};

pub(super) async fn run(vault: &Connection, update: UpdateCredential) -> Result<Option<Credential>> {
    let mut paths = Vec::new();
    if update.name.is_some() {
        paths.push("display_name".to_owned());
    }
    if !update.labels.is_empty() {
        paths.push("labels".to_owned());
    }
    if update.expires.is_some() {
        paths.push("expire_time".to_owned());
    }
    let id = resolve(vault, &update.id).await?;
    let name = update.name.unwrap_or_default();
    let unique = paths.iter().any(|path| path == "display_name") && !update.allow_duplicate;
    if unique {
        refuse_duplicate(vault, &name, &id).await?;
    }
    let credential = Credential {
        id: id.clone(),
        display_name: name.clone(),
        labels: update.labels.into_iter().collect(),
        expire_time: expire_time(update.expires)?,
        ..Default::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = UpdateCredentialRequest { credential: Some(credential), update_mask };
    let updated = vault.answer(vault.credentials().update_credential(unary(request))).await?.credential;
    if unique {
        warn_of_duplicate(vault, &name, &id).await;
    }
    Ok(updated)
}

/// Unset for `never`: a mask that names an unset field clears it (AIP-134).
fn expire_time(expires: Option<Expiry>) -> Result<Option<prost_types::Timestamp>> {
    match expires {
        None | Some(Expiry::Never) => Ok(None),
        Some(Expiry::Until(until)) => Ok(Some(to_wire(until.resolve(SystemClock.now_micros())?))),
    }
}
