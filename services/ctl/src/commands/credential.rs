//! `strongroom credential`.

mod list;
mod resolve;
mod unique;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use strongroom_api::vault::v1::{
    ActivateCredentialRequest, CreateCredentialRequest, Credential, DeactivateCredentialRequest,
    DeleteCredentialRequest, GetCredentialRequest, GetCredentialStatsRequest, ListCredentialsRequest,
    RevealCredentialRequest, RollbackCredentialRequest, RotateCredentialRequest, UpdateCredentialRequest,
};
use uuid::Uuid;

pub(super) use list::list_credentials;
pub(super) use resolve::resolve;
use unique::{refuse_duplicate, warn_of_duplicate};

use crate::cli::{CreateCredential, CredentialCommand, ListCredentials, RotateCredential, UpdateCredential};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table, data_out, key_values, message, print_data};
use crate::secret_input;
use crate::time::{length_to_wire, shown, to_wire};

const CREDENTIAL: &str = "strongroom.vault.v1.Credential";

pub(super) async fn run(command: CredentialCommand, format: Format) -> Result<()> {
    let vault = client::vault()?;
    match command {
        CredentialCommand::Create(create) => print_one(format, create_credential(&vault, create).await?),
        CredentialCommand::List(list) => {
            let credentials = list_credentials(&vault, filter(list)).await?;
            format.list(CREDENTIAL, &credentials, || table(&credentials))
        }
        CredentialCommand::Get(given) => {
            let request = GetCredentialRequest { id: resolve(&vault, &given.id).await? };
            let answer = vault.answer(vault.credentials().get_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Activate(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = ActivateCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().activate_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Deactivate(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = DeactivateCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().deactivate_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Delete(given) => delete(&vault, &given.id, format).await,
        CredentialCommand::Reveal { credential, previous } => {
            reveal(&vault, &credential.id, previous, format).await
        }
        CredentialCommand::Rotate(rotate) => print_one(format, rotate_credential(&vault, rotate).await?),
        CredentialCommand::Rollback(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = RollbackCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().rollback_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Update(update) => print_one(format, update_credential(&vault, update).await?),
        CredentialCommand::Stats => stats(&vault, format).await,
    }
}

async fn create_credential(vault: &Connection, create: CreateCredential) -> Result<Option<Credential>> {
    let secret = secret_input::read(&create.secret_file)?;
    if !create.allow_duplicate {
        refuse_duplicate(vault, &create.name, "").await?;
    }
    let request = CreateCredentialRequest {
        display_name: create.name.clone(),
        provider: create.provider,
        secret: Bytes::copy_from_slice(secret.expose()),
        labels: create.labels.into_iter().collect(),
        expire_time: create.expires.map(to_wire),
        request_id: request_id(),
        validate_only: false,
    };
    let created = vault.answer(vault.credentials().create_credential(unary(request))).await?.credential;
    if let Some(created) = created.as_ref().filter(|_| !create.allow_duplicate) {
        warn_of_duplicate(vault, &create.name, &created.id).await;
    }
    Ok(created)
}

async fn rotate_credential(vault: &Connection, rotate: RotateCredential) -> Result<Option<Credential>> {
    let secret = secret_input::read(&rotate.secret_file)?;
    let request = RotateCredentialRequest {
        id: resolve(vault, &rotate.id).await?,
        secret: Bytes::copy_from_slice(secret.expose()),
        grace: rotate.grace.map(length_to_wire),
        request_id: request_id(),
        ..Default::default()
    };
    Ok(vault.answer(vault.credentials().rotate_credential(unary(request))).await?.credential)
}

/// A fresh one for each run of the command: a proxy that sends the call twice makes nothing twice.
fn request_id() -> String {
    Uuid::now_v7().to_string()
}

async fn update_credential(vault: &Connection, update: UpdateCredential) -> Result<Option<Credential>> {
    let mut paths = Vec::new();
    if update.name.is_some() {
        paths.push("display_name".to_owned());
    }
    if !update.labels.is_empty() {
        paths.push("labels".to_owned());
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

fn filter(list: ListCredentials) -> ListCredentialsRequest {
    ListCredentialsRequest {
        provider: list.provider.unwrap_or_default(),
        active: list.active,
        name_prefix: list.name_prefix.unwrap_or_default(),
        labels: list.labels.into_iter().collect(),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    }
}

async fn delete(vault: &Connection, given: &str, format: Format) -> Result<()> {
    let id = resolve(vault, given).await?;
    let request = DeleteCredentialRequest { id: id.clone(), ..Default::default() };
    let answer = vault.answer(vault.credentials().delete_credential(unary(request))).await?;
    let released = answer.released_references.to_string();
    format.message("strongroom.vault.v1.DeleteCredentialResponse", &answer, || {
        key_values([("deleted", id), ("released references", released)])
    })
}

async fn reveal(vault: &Connection, given: &str, previous: bool, format: Format) -> Result<()> {
    let request = RevealCredentialRequest { id: resolve(vault, given).await?, previous };
    let answer = vault.answer(vault.credentials().reveal_credential(unary(request))).await?;
    if format == Format::Json {
        return format.message("strongroom.vault.v1.RevealCredentialResponse", &answer, String::new);
    }
    print_secret(&answer.secret)
}

/// Prints the bytes of a secret and nothing else; on a terminal, those that it would obey are escaped.
pub(super) fn print_secret(secret: &[u8]) -> Result<()> {
    print_data(secret)?;
    if data_out().is_terminal() {
        message(""); // The prompt goes to a line of its own; the secret has no line feed.
    }
    Ok(())
}

async fn stats(vault: &Connection, format: Format) -> Result<()> {
    let request = unary(GetCredentialStatsRequest {});
    let answer = vault.answer(vault.credentials().get_credential_stats(request)).await?;
    format.message("strongroom.vault.v1.GetCredentialStatsResponse", &answer, || {
        key_values([
            ("total", answer.total.to_string()),
            ("active", answer.active.to_string()),
            ("providers", answer.providers.join(", ")),
        ])
    })
}

fn print_one(format: Format, credential: Option<Credential>) -> Result<()> {
    let credential = credential.context("the vault answered without a credential")?;
    format.message(CREDENTIAL, &credential, || details(&credential))
}

fn details(credential: &Credential) -> String {
    key_values([
        ("id", credential.id.clone()),
        ("name", credential.display_name.clone()),
        ("provider", credential.provider.clone()),
        ("preview", credential.preview.clone()),
        ("active", credential.active.to_string()),
        ("labels", joined(credential.labels.iter().map(|(key, value)| format!("{key}={value}")))),
        ("used by", used_by(credential)),
        ("created", shown(credential.create_time.as_ref())),
        ("updated", shown(credential.update_time.as_ref())),
        ("last used", shown(credential.last_used_time.as_ref())),
        ("secret set", shown(credential.secret_time.as_ref())),
        ("inactive since", shown(credential.deactivate_time.as_ref())),
        ("expires", shown(credential.expire_time.as_ref())),
        ("previous secret until", shown(credential.previous_expire_time.as_ref())),
        ("etag", credential.etag.clone()),
    ])
}

/// Credentials as people read them.
pub(super) fn table(credentials: &[Credential]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "PROVIDER", "PREVIEW", "ACTIVE", "USED BY"]);
    for credential in credentials {
        let active = if credential.active { "yes" } else { "no" };
        table.row([
            &credential.id,
            &credential.display_name,
            &credential.provider,
            &credential.preview,
            active,
            &used_by(credential),
        ]);
    }
    table
}

fn used_by(credential: &Credential) -> String {
    joined(credential.reference_counts.iter().map(|(kind, count)| format!("{count} {kind}")))
}

/// Sorted, because protobuf maps come in any order.
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_table() {
        let credential = Credential {
            id: "1".into(),
            display_name: "OpenAI".into(),
            provider: "openai".into(),
            preview: "sk-...123".into(),
            active: true,
            reference_counts: [("endpoint".to_owned(), 2), ("a_kind".to_owned(), 1)].into(),
            ..Default::default()
        };
        let table = table(&[credential]).to_string();
        assert!(table.ends_with("sk-...123  yes     1 a_kind, 2 endpoint\n"), "{table}");
    }
}
