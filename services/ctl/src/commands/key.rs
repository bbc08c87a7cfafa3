//! `strongroom key`.

mod census;
pub(super) mod public;
mod reencryption;
mod retirement;
mod root;
mod version;

use anyhow::Result;
use strongroom_api::vault::v1::{CreateKeyRequest, ListKeyVersionsRequest, RotateKeyRequest};

use crate::cli::KeyCommand;
use crate::client::{Connection, unary, vault};
use crate::output::Format;
use version::{KEY_VERSION, print_one, table};

pub(super) async fn run(command: KeyCommand, format: Format) -> Result<()> {
    match command {
        KeyCommand::List => list(&vault()?, format).await,
        KeyCommand::Create { name } => create(&vault()?, name, format).await,
        KeyCommand::Rotate { name } => rotate(&vault()?, name, format).await,
        KeyCommand::Reencrypt { rate } => reencryption::run(&vault()?, rate, format).await,
        KeyCommand::Census { name } => census::show(&vault()?, name, format).await,
        KeyCommand::Disable(version) => retirement::disable(&vault()?, version.kid, format).await,
        KeyCommand::Enable(version) => retirement::enable(&vault()?, version.kid, format).await,
        KeyCommand::Destroy { version, after, confirmation } => {
            retirement::destroy(version.kid, after, &confirmation, format).await
        }
        KeyCommand::Undo(version) => retirement::undo(&vault()?, version.kid, format).await,
        KeyCommand::Approve { request } => retirement::approve(&vault()?, request, format).await,
        KeyCommand::Requests => retirement::list_requests(&vault()?, format).await,
        KeyCommand::ExportPublic { out, force } => {
            public::export(&vault()?, out.as_deref(), force, format).await
        }
        // Needs no vault: the root key exists before the vault.
        KeyCommand::NewRoot { out } => root::create(&out, format),
    }
}

async fn list(vault: &Connection, format: Format) -> Result<()> {
    let request = unary(ListKeyVersionsRequest {});
    let versions = vault.answer(vault.keys().list_key_versions(request)).await?.versions;
    format.list(KEY_VERSION, &versions, || table(&versions))
}

async fn create(vault: &Connection, key_id: String, format: Format) -> Result<()> {
    let request = unary(CreateKeyRequest { key_id });
    print_one(format, vault.answer(vault.keys().create_key(request)).await?.version)
}

async fn rotate(vault: &Connection, key_id: String, format: Format) -> Result<()> {
    let request = unary(RotateKeyRequest { key_id });
    print_one(format, vault.answer(vault.keys().rotate_key(request)).await?.version)
}
