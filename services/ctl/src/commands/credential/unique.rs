//! A name that is not unique cannot identify a credential, so creating a duplicate must be explicit.
//!
//! The vault has no rule about names, and another command can take the name between the check and the change. So the
//! check is repeated afterwards: of two commands at the same moment, at least the later one sees the other and reports
//! it. A token sees only credentials that it may list: a duplicate outside its selection stays unseen.

use anyhow::{Context as _, Result, bail};
use strongroom_api::vault::v1::ListCredentialsRequest;

use super::list::list_credentials;
use super::resolve::ids_of;
use crate::client::{Connection, PAGE_SIZE};
use crate::error::{Local, Refused};
use crate::output::{message, printable};

/// Refuses a name that a credential other than `own` has.
pub(super) async fn refuse_duplicate(vault: &Connection, name: &str, own: &str) -> Result<()> {
    let twins = twins(vault, name, own).await;
    let twins =
        twins.context("cannot check whether the name is in use (--allow-duplicate skips the check)")?;
    let Some(twin) = twins.first() else { return Ok(()) };
    let name = printable(name);
    let sentence = format!(
        "a credential called \"{name}\" already exists ({twin}), and commands could tell the two apart by \
         their ids only; choose another name, replace the secret with `strongroom credential rotate {twin}`, \
         or pass --allow-duplicate"
    );
    bail!(Refused::new(Local::NameTaken, sentence))
}

/// Warns if another credential took `name` at the same moment. The change has been made, so nothing fails.
pub(super) async fn warn_of_duplicate(vault: &Connection, name: &str, own: &str) {
    let Ok(twins) = twins(vault, name, own).await else { return };
    if !twins.is_empty() {
        let (name, twins) = (printable(name), twins.join(", "));
        message(&format!(
            "warning: another command has just given the name \"{name}\" to {twins}; rename one of them with \
             `strongroom credential update ID --name NAME`"
        ));
    }
}

/// Ids of other credentials with exactly this name. An invalid name is left to the vault to refuse.
async fn twins(vault: &Connection, name: &str, own: &str) -> Result<Vec<String>> {
    if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > MAX_NAME {
        return Ok(Vec::new());
    }
    let request =
        ListCredentialsRequest { name_prefix: name.to_owned(), page_size: PAGE_SIZE, ..Default::default() };
    let mut ids = ids_of(name, list_credentials(vault, request).await?);
    ids.retain(|id| id != own);
    Ok(ids)
}

/// The vault's limit, in characters.
const MAX_NAME: usize = 200;
