//! `strongroom key`.

mod census;
pub(super) mod public;
mod reencryption;
mod retirement;
mod root;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{CreateKeyRequest, KeyVersion, ListKeyVersionsRequest, RotateKeyRequest};

use crate::cli::KeyCommand;
use crate::client::{Connection, unary, vault};
use crate::output::{Format, Table, key_values};
use crate::time::shown;

const KEY_VERSION: &str = "strongroom.vault.v1.KeyVersion";

pub(super) async fn run(command: KeyCommand, format: Format) -> Result<()> {
    match command {
        KeyCommand::List => list(&vault()?, format).await,
        KeyCommand::Create { name } => create(&vault()?, name, format).await,
        KeyCommand::Rotate { name } => rotate(&vault()?, name, format).await,
        KeyCommand::Reencrypt { rate } => reencryption::run(&vault()?, rate, format).await,
        KeyCommand::Census { name } => census::show(&vault()?, name, format).await,
        KeyCommand::Disable(version) => retirement::disable(&vault()?, version.kid, format).await,
        KeyCommand::Enable(version) => retirement::enable(&vault()?, version.kid, format).await,
        KeyCommand::Destroy { version, after } => {
            retirement::destroy(&vault()?, version.kid, after, format).await
        }
        KeyCommand::Undo(version) => retirement::undo(&vault()?, version.kid, format).await,
        KeyCommand::Approve { request } => retirement::approve(&vault()?, request, format).await,
        KeyCommand::Requests => retirement::list_requests(&vault()?, format).await,
        KeyCommand::ExportPublic { out } => public::export(&vault()?, out.as_deref(), format).await,
        // The one that needs no vault: it comes before there is one.
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

fn print_one(format: Format, version: Option<KeyVersion>) -> Result<()> {
    let version = version.context("the vault answered without a key version")?;
    format.message(KEY_VERSION, &version, || details(&version))
}

fn details(version: &KeyVersion) -> String {
    key_values([
        ("kid", version.kid.clone()),
        ("key", version.key_id.clone()),
        ("purpose", version.purpose.clone()),
        ("number", version.number.to_string()),
        ("state", version.state.clone()),
        ("root key id", version.root_key_id.clone()),
        ("created", shown(version.create_time.as_ref())),
        ("destruction", shown(version.destroy_time.as_ref())),
    ])
}

fn table(versions: &[KeyVersion]) -> Table {
    let mut table =
        Table::new(&["KEY", "NUMBER", "KID", "STATE", "PURPOSE", "ROOT KEY ID", "CREATED", "DESTRUCTION"]);
    for version in versions {
        table.row([
            &version.key_id,
            &version.number.to_string(),
            &version.kid,
            &version.state,
            &version.purpose,
            &version.root_key_id,
            &shown(version.create_time.as_ref()),
            &shown(version.destroy_time.as_ref()),
        ]);
    }
    table
}
